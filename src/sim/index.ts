export { TurnpikeError } from '../core/errors.ts'
export type { Host } from '../core/host.ts'
export { TransportAddress } from '../core/transport-address.ts'
export { rootAuthority, type SimulatedCertificateOptions, simulatedCertificate } from './certificate.ts'
export type { Dependency } from './filter.ts'
export { type HostOptions, SimHost } from './host.ts'
export type { Attachable, Family, InterfaceOptions, SimInterface } from './interface.ts'
export { Internet, type InternetOptions, type RunOptions } from './internet.ts'
export type { BurstLoss, LinkOptions } from './link.ts'
export type { OutboundPolicy } from './middlebox.ts'
export type { NatMapping } from './nat-mappings.ts'
export type { NatOptions } from './nat-options.ts'
export { Packet, type ProtocolName, type Segment } from './packet.ts'
export {
  defaultNat,
  type EdgeOptions,
  type FirewallPlaceOptions,
  type Nat64Options,
  NatPlace,
  type NatPlaceOptions,
  Place,
  type StaticNatOptions,
  StaticNatPlace,
} from './places.ts'
export { SeededRandom } from './seeded-random.ts'
export type { PacketFate, TranscriptReader } from './transcript.ts'
export type { Interceptor } from './world.ts'
export type { DnsRecords } from './zones.ts'

export { TransportAddress } from '../core/transport-address.ts'
export type { AddressMapping } from './address-mapping.ts'
export { IceAgent } from './agent.ts'
export type {
  CandidateDescription,
  CandidateProtocol,
  CandidateType,
  LocalCandidate,
  NamedAddress,
  RelayProtocol,
  RemoteCandidate,
  TcpType,
} from './candidate.ts'
export { type CandidateFilter, candidateFilters } from './candidate-filter.ts'
export { type CandidateFault, formatCandidate, parseCandidate } from './candidate-line.ts'
export type { CandidatePair, PairFailure, PairState } from './candidate-pair.ts'
export type { IceCredentials, IceDescription } from './credentials.ts'
export { defaultPolicy } from './default-policy.ts'
export { encodeFrame, FrameReader } from './framing.ts'
export type { GatheredCandidate } from './gathered-candidate.ts'
export type { LocalCandidateVerdict } from './gathered-candidates.ts'
export type { InputVerdict } from './inbound.ts'
export {
  type ChosenInterface,
  chooseInterfaces,
  deniedByDefault,
  type Exclusion,
  type InterfaceChoice,
  type InterfaceRules,
} from './interfaces.ts'
export { describeByName, newMdnsName, withoutRelated } from './mdns.ts'
export { IceMux, type MuxedAgent } from './mux.ts'
export type { IceAgentOptions } from './options.ts'
export type {
  IceEvent,
  IceOutput,
  IceState,
  IgnoredReason,
  PairSummary,
  PathReason,
  TransmitPurpose,
} from './outputs.ts'
export { Pacer } from './pacer.ts'
export type { IcePolicy, PolicyView } from './policy.ts'
export type { RemoteCandidateVerdict } from './remote-candidates.ts'
export type { IceRole } from './role.ts'
export {
  type FormatOptions,
  formatIceAttributes,
  type IceAttributes,
  type IceAttributesFault,
  parseIceAttributes,
  type RemoteCandidateReference,
} from './sdp.ts'
export { SendPath } from './send-path.ts'
export type { IceDropReason } from './session.ts'
export type { CandidatePairStats, CandidateStats, IceStats } from './stats.ts'

export { TransportAddress } from '../core/transport-address.ts'
export type { TokenKey } from './access-token.ts'
export type { AllocationRecord } from './allocation.ts'
export type { AlternateServer } from './alternate-server.ts'
export { AvoidedServers } from './client/avoided-servers.ts'
export { TurnClient } from './client/client.ts'
export {
  type ClientCounters,
  type FrameRange,
  type PeerData,
  wrapHeadroom,
  wrapTailroom,
} from './client/data-path.ts'
export { formatTurnFailure, type PeerFailure, type TurnFailure } from './client/failure.ts'
export type { TurnClientOptions, TurnServerAddress } from './client/options.ts'
export type { ClientAllocation, MissingFamily, TurnClientEvent, TurnClientOutput } from './client/outputs.ts'
export { type DropReason, ServerCounters } from './counters.ts'
export { Credential, type CredentialOptions, type KeyAlgorithm, type Validity } from './credential.ts'
export {
  type CredentialStore,
  type CredentialsOptions,
  credentialStore,
  type StaticUser,
  staticCredentials,
  userCredential,
} from './credentials.ts'
export type { TurnServerOptions } from './options.ts'
export type { EndReason, ServerOutput } from './outputs.ts'
export { type AddressRange, PeerPolicy, type PeerPolicyOptions, parseAddressRange } from './peer-policy.ts'
export type { RelayAddress } from './relay-address.ts'
export type { Route } from './route.ts'
export { TurnServer } from './server.ts'
export type { ClientTransport } from './socket-numbers.ts'

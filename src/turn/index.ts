export { TransportAddress } from '../core/transport-address.ts'
export type { TokenKey } from './access-token.ts'
export type { AllocationRecord } from './allocation.ts'
export { type DropReason, ServerCounters } from './counters.ts'
export { Credential, type CredentialOptions, type KeyAlgorithm, type Validity } from './credential.ts'
export {
  type CredentialStore,
  type CredentialsOptions,
  credentialStore,
  type StaticUser,
  staticCredentials,
} from './credentials.ts'
export type { TurnServerOptions } from './options.ts'
export type { EndReason, ServerOutput } from './outputs.ts'
export { type AddressRange, PeerPolicy, type PeerPolicyOptions, parseAddressRange } from './peer-policy.ts'
export type { RelayAddress } from './relay-address.ts'
export type { Route } from './route.ts'
export { TurnServer } from './server.ts'

export { TransportAddress } from '../core/transport-address.ts'
export {
  IceAgent,
  type InputVerdict,
  type LocalCandidateVerdict,
  type RemoteCandidateVerdict,
} from './agent.ts'
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
export type { CandidatePair, PairFailure, PairState } from './candidate-pair.ts'
export type { IceCredentials } from './credentials.ts'
export { defaultPolicy } from './default-policy.ts'
export type { RemoteDescription } from './generation.ts'
export type { GatheredCandidate } from './local-candidates.ts'
export type { IceAgentOptions } from './options.ts'
export type {
  IceEvent,
  IceOutput,
  IceState,
  PairSummary,
  PathReason,
  SendPath,
  TransmitPurpose,
} from './outputs.ts'
export { Pacer } from './pacer.ts'
export type { IcePolicy, PolicyView } from './policy.ts'
export type { IceRole } from './role.ts'

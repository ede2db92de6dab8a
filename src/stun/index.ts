export { TransportAddress } from '../core/transport-address.ts'
export {
  type Attribute,
  type AttributeName,
  type AttributeValue,
  attributeName,
  attributes,
  isComprehensionRequired,
} from './attributes.ts'
export { StunClient } from './client.ts'
export type { ClientCredentials } from './client-authentication.ts'
export type { RequestId, StunClientOptions, StunClientOutput, StunRequest } from './client-contract.ts'
export { formatFailure, type Rejection, type StunFailure } from './client-failure.ts'
export { longTermKey, longTermKeySha256, shortTermKey, userHash } from './credentials.ts'
export { type PacketKind, packetKind } from './demux.ts'
export { type EncodeOptions, encodeMessage, type OutgoingMessage } from './encode.ts'
export { errorCodeTable, type StunErrorCode } from './error-codes.ts'
export { checkFingerprint, checkIntegrity, type IntegrityAlgorithm, type IntegrityKey } from './integrity.ts'
export { type DecodeFault, decodeMessage, Message } from './message.ts'
export { type MessageClass, type MethodName, methods } from './methods.ts'
export { formatNonceCookie, parseNonceCookie, type SecurityFeatures } from './nonce-cookie.ts'
export { opaqueString } from './opaque-string.ts'
export { type FramingFault, type FramingOptions, StreamFramer, streamPadding } from './stream-framing.ts'
export { defaultTiming, type TransactionTiming } from './transaction.ts'
export {
  defaultPorts,
  formatServerUri,
  isSecure,
  parseServerUri,
  type ServerScheme,
  type ServerUri,
} from './uri.ts'

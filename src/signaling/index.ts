export { isAdmitted, mintRoomToken } from './access.ts'
export {
  SignalingClient,
  type SignalingClientOptions,
  type SignalingHandlers,
  type SignalingState,
} from './client.ts'
export { type HubOutput, SignalingHub } from './hub.ts'
export { defaultHubOptions, type HubOptions } from './hub-options.ts'
export { iceServersOf, mintCredentials, type RestCredentials } from './ice-servers.ts'
export {
  type Addressed,
  type Candidate,
  type ClientMessage,
  type Description,
  type IceServer,
  type Joined,
  type PeerSummary,
  parseClientMessage,
  parseServerMessage,
  protocolVersion,
  type ServerMessage,
  type SignalData,
} from './protocol.ts'
export {
  type SignalingEvents,
  type SignalingOptions,
  type SignalingServer,
  serveSignaling,
} from './server.ts'

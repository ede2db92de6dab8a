export { Call, type CallHandlers, type CallOptions } from './call.ts'
export { type ConnectionReport, explain } from './explain.ts'
export { HeadlessPeer, type HeadlessPeerOptions, type IncomingCall } from './headless-peer.ts'
export { type MediaKind, type MediaSource, openMedia } from './media-source.ts'
export { type PathReport, pathOf } from './path-report.ts'
export {
  MediaStream,
  MediaStreamTrack,
  PeerConnection,
  type PeerConnectionConfig,
  RTCIceCandidate,
  RTCSessionDescription,
} from './werift.ts'

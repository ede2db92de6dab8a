/**
 * Everything of werift that we use, in one place: no other file imports it. Its DTLS, SRTP, SCTP and SDP are used as they
 * are; `peer-connection.ts` puts our ICE beneath. test/peer/werift-contract.test.ts fails when what is relied on has moved.
 */

export {
  Candidate,
  type CandidatePair,
  CandidatePairState,
  candidateFromIce,
  DtlsClient,
  type DtlsSocket,
  Event as WeriftEvent,
  type IceConnection,
  type IceOptions,
  type IceState as WeriftIceState,
  MediaStream,
  MediaStreamTrack,
  type RTCDataChannel,
  RTCDtlsTransport,
  RTCIceCandidate,
  RTCIceGatherer,
  RTCIceTransport,
  type RTCInboundRtpStreamStats,
  RTCPeerConnection,
  type RTCPeerConnectionConfig,
  type RTCRtpTransceiver,
  RTCSessionDescription as WeriftSessionDescription,
  type RTCStats,
  RtpPacket,
  useAV1,
  useH264,
  useOPUS,
  usePCMU,
  useVP8,
  useVP9,
} from 'werift'
export { MediaRecorder } from 'werift/nonstandard'
export { createMp4WebmRegister } from 'werift/polyfill'

export { TransportAddress } from '../core/transport-address.ts'
export type { ClientTlsOptions } from './client-transport.ts'
export type { IceServer, IceTransportOptions } from './ice/options.ts'
export {
  type IceTransport,
  type IceTransportEvent,
  type IceTransportHandlers,
  openIce,
} from './ice/transport.ts'
export { UdpMux, type UdpMuxOptions } from './ice/udp-mux.ts'
export { NodeHost } from './node-host.ts'
export {
  type ResolvedServer,
  type ResolveServerOptions,
  type ResolveServerResult,
  resolveServer,
} from './resolve-server.ts'
export { exchangeStun, type StunExchangeOptions, type StunExchangeResult } from './stun-exchange.ts'
export {
  openTurn,
  type TurnConnection,
  type TurnConnectionHandlers,
  type TurnConnectionOptions,
} from './turn-connection.ts'
export { dialTurn, type TurnDialOptions } from './turn-dial.ts'

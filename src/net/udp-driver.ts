/**
 * The UDP sockets of one engine, by the engine's own numbers: what a shard asks of the machine. Two drivers
 * implement it: one over any Host (node:dgram, a simulated host), one over batched system calls (udp-mmsg/).
 */

import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Route } from '../turn/route.ts'

export interface UdpDriver {
  /** Opens a socket under that number. The answer is `handlers.bound` or `bindFailed`, never before this returns. */
  bind(socket: SocketId, address: TransportAddress): void
  /** Sends an array that nobody changes afterwards. A socket that is not there is no fault: it has just closed. */
  transmit(socket: SocketId, destination: AddressWords, bytes: Uint8Array): void
  /** Sends what the route says of the datagram that is being handed in, from inside `handlers.datagram`. */
  forward(route: Route, datagram: Datagram): void
  /** Closes, with what has been sent before; the number may be used again. */
  close(socket: SocketId): void
  /** Carries out now what was put off: after it, a closed socket's port is free. */
  flush(): void
  closeAll(): void
}

export interface UdpDriverHandlers {
  /** The socket is bound; `local` carries the port in use. */
  bound(socket: SocketId, local: TransportAddress, receiveBufferBytes: number | undefined): void
  /** It could not be bound, and its number is free. `reason` is the system's code, such as EADDRINUSE. */
  bindFailed(socket: SocketId, reason: string): void
  /** The datagram is the driver's own, and overwritten by the next. */
  datagram(datagram: Datagram): void
  /** An ICMP error about what a relay socket has sent to `peer`; `data` is the MTU, of errors that tell one. */
  icmp(socket: SocketId, peer: AddressWords, type: number, code: number, data: number): void
  /** Packets that the system refused, after the fact, by the system's code; they are lost. */
  sendFailed(reason: string, packets: number): void
}

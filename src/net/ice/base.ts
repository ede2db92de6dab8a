/** What candidates send from, and what those who make such things need of the transport. */

import type { Host, UdpBindOptions } from '../../core/host.ts'
import type { SocketId } from '../../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { GatheredCandidate } from '../../ice/gathered-candidate.ts'
import type { InputVerdict } from '../../ice/inbound.ts'
import type { BaseHandlers, BaseSocket } from './udp-mux.ts'

/** A UDP socket, one relayed address of an allocation, or a TCP connection. */
export interface IceBase {
  /** False if it was not sent. The bytes must not change afterwards. */
  send(bytes: Uint8Array, destination: AddressWords): boolean
  close(): void
}

/** Which data stream and component something belongs to. */
export interface Lane {
  readonly stream: number
  readonly component: number
}

export interface IceBases {
  readonly host: Host
  readonly lanes: readonly Lane[]
  /** As `Host.bindUdp`: a socket, or the session's share of one. */
  bindUdp(options: UdpBindOptions, handlers: BaseHandlers): BaseSocket
  /** From now on the agent may send from it. */
  add(base: IceBase, lane: Lane): SocketId
  /** As `add`, for a connection that the agent has numbered. */
  addAs(connection: SocketId, base: IceBase, lane: Lane): void
  /** It is gone, with its candidates and pairs; it is closed here. */
  remove(socket: SocketId): void
  gathered(candidate: GatheredCandidate): void
  /** A packet that is not for a STUN or TURN client. The bytes belong to the receiver. */
  receive(socket: SocketId, bytes: Uint8Array, source: AddressWords): InputVerdict
  sendFailed(socket: SocketId, destination: AddressWords, reason: string): void
  /** No candidate of that address: no socket could be bound to it. */
  bindFailed(address: TransportAddress, reason: string): void
  /** A server that is of no use, and why. Others are asked all the same. */
  serverFailed(url: string, reason: string): void
  /** Something that gathering had to wait for may be over. */
  progressed(): void
}

export function isSameFamily(x: TransportAddress, y: TransportAddress): boolean {
  return x.family === y.family
}

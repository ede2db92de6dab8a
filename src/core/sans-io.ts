/**
 * The contract of a protocol core: values in, values out. A core holds no socket, reads no clock and starts
 * no timer; a driver feeds it, drains it after every input, and arms one timer.
 */

import type { Instant } from './time.ts'
import type { AddressWords } from './transport-address.ts'

/** Names a socket between a core and its driver. Listening sockets and relay sockets share one number space. */
export type SocketId = number & { readonly [socketBrand]: true }
declare const socketBrand: unique symbol

export function socketId(value: number): SocketId {
  return value as SocketId
}

/** One datagram as it arrived. Bytes and source belong to the driver: they are good for this call only. */
export interface Datagram {
  readonly socket: SocketId
  readonly source: AddressWords
  readonly bytes: Uint8Array
}

export interface Core<Output extends { readonly type: string }> {
  handleDatagram(datagram: Datagram, now: Instant): void
  handleTimeout(now: Instant): void
  /** When handleTimeout is next due; undefined while there is nothing to wait for. */
  pollTimeout(): Instant | undefined
  /** The oldest unread output; undefined when drained. The driver drains after every input. */
  poll(): Output | undefined
}

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
  /** What the datagram lies in: an array of its own, or the memory that a driver receives all of them into. */
  readonly bytes: Uint8Array
  /** The range of the datagram in `bytes`. */
  readonly start: number
  readonly end: number
}

/** A datagram that has an array of its own. */
export function datagramOf(socket: SocketId, source: AddressWords, bytes: Uint8Array): Datagram {
  return { socket, source, bytes, start: 0, end: bytes.length }
}

/** The datagram's bytes and no more, for what is no data path: a view, and the very array if it is all of it. */
export function datagramBytes({ bytes, start, end }: Datagram): Uint8Array {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
}

export interface Core<Output extends { readonly type: string }> {
  handleDatagram(datagram: Datagram, now: Instant): void
  handleTimeout(now: Instant): void
  /** When handleTimeout is next due; undefined while there is nothing to wait for. */
  pollTimeout(): Instant | undefined
  /** The oldest unread output; undefined when drained. The driver drains after every input. */
  poll(): Output | undefined
}

/**
 * The I/O port: what a program may ask of the machine it runs on. NodeHost is the real one; a simulated
 * host implements the same. Results arrive through handlers rather than promises, so that a simulated
 * internet stays in step with its virtual clock.
 */

import type { Random } from './random.ts'
import type { EpochSeconds, Instant } from './time.ts'
import type { AddressWords, TransportAddress } from './transport-address.ts'

export interface Host {
  readonly clock: Clock
  readonly random: Random
  /**
   * Opens a UDP socket. Nothing is thrown for what the network refuses: that is `handlers.failed`. No handler is
   * called before this has returned.
   */
  bindUdp(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket
  /** The addresses of this host's interfaces, as they are now. */
  interfaces(): readonly InterfaceAddress[]
}

export interface Clock {
  now(): Instant
  epochSeconds(): EpochSeconds
  /** Calls back once at or after `at`. The returned function cancels it. */
  schedule(at: Instant, callback: () => void): () => void
}

export interface UdpBindOptions {
  /** Port 0 lets the system choose. */
  readonly address: TransportAddress
  /** Asked of the system; what it granted is in `UdpSocket.receiveBufferBytes`. */
  readonly receiveBufferBytes?: number
}

export interface UdpHandlers {
  /** The socket is bound; `local` carries the port in use. Called at most once, before any datagram. */
  bound(local: TransportAddress): void
  /** The socket could not be bound, and is closed. `reason` is the system's code, such as EADDRINUSE. */
  failed(reason: string): void
  /** Bytes belong to the receiver from here on; `source` is reused for the next packet. */
  datagram(bytes: Uint8Array, source: AddressWords): void
  /** A send was refused by the system, after the fact. The socket goes on. */
  sendFailed(reason: string): void
}

export interface UdpSocket {
  /** What the kernel granted; undefined before it is bound. */
  readonly receiveBufferBytes: number | undefined
  /** Sends one datagram. The bytes must not change afterwards. Failures are reported, never thrown. */
  send(bytes: Uint8Array, destination: AddressWords): void
  /** Closes at once. No handler is called afterwards. Closing twice is allowed. */
  close(): void
}

export interface InterfaceAddress {
  readonly name: string
  /** The port is 0. */
  readonly address: TransportAddress
  readonly internal: boolean
}

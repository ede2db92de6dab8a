/** A StreamSocket over a net.Socket or a TLSSocket. What Node emits becomes a handler call, and never an exception. */

import type { Socket } from 'node:net'
import type { StreamHandlers, StreamSocket, TlsSession } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { codeOf } from './errno.ts'
import { StreamOutbox } from './stream-outbox.ts'

/** `opening` while a connection of our own is not there yet; `closed` for good. */
type State = 'opening' | 'open' | 'closed'

export class NodeStream implements StreamSocket {
  #socket: Socket
  #outbox: StreamOutbox
  #handlers: StreamHandlers | undefined
  #state: State = 'opening'
  #isPaused = false
  #hasEnded = false
  #local: TransportAddress | undefined
  /** Ends the attempt to connect. */
  #timer: NodeJS.Timeout | undefined
  readonly remote: TransportAddress

  constructor(socket: Socket, remote: TransportAddress) {
    this.remote = remote
    this.#socket = socket
    this.#outbox = this.#watch(socket)
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get local(): TransportAddress {
    const { localAddress, localPort } = this.#socket
    if (localAddress !== undefined) this.#local ??= TransportAddress.of(localAddress, localPort ?? 0)
    return this.#local ?? unspecified
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes
  }

  /** Who is told when the connection is there, or is not within that time. */
  expect(handlers: StreamHandlers, timeoutMs: number): void {
    this.#handlers = handlers
    this.#timer = setTimeout(() => this.fail('ETIMEDOUT'), timeoutMs)
  }

  /** The TLS session over the socket takes its place. */
  replaceSocket(socket: Socket): void {
    this.#socket = socket
    this.#outbox = this.#watch(socket)
  }

  /** The connection is there. `opened` is called for those of our own making. */
  open(session?: TlsSession): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    clearTimeout(this.#timer)
    const { local } = this
    this.#handlers?.opened(local, session)
    this.#read()
  }

  /** As `open`, for a connection from outside. */
  accept(handlers: StreamHandlers): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#handlers = handlers
    this.#read()
  }

  fail(reason: string): void {
    const state = this.#state
    if (state === 'closed') return
    this.close()
    if (state === 'opening') this.#handlers?.failed(reason)
    else this.#handlers?.closed(reason)
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'open' && !this.#hasEnded) this.#outbox.write(bytes)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#state === 'open') this.#socket.resume()
  }

  end(): void {
    if (this.#state !== 'open' || this.#hasEnded) return
    this.#hasEnded = true
    this.#outbox.flush()
    this.#socket.end()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#local = this.local
    this.#state = 'closed'
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }

  /** From the start to long after the end: an error that nobody listens for would end the process. */
  #watch(socket: Socket): StreamOutbox {
    socket.on('error', (error) => {
      if (socket === this.#socket) this.fail(codeOf(error))
    })
    return new StreamOutbox(socket, () => {
      if (this.#state === 'open') this.#handlers?.drained()
    })
  }

  #read(): void {
    if (this.#state !== 'open') return
    const socket = this.#socket
    // Said either way: a socket may start out paused.
    if (this.#isPaused) socket.pause()
    else socket.resume()
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#state === 'open') this.#handlers?.data(bytes)
    })
    socket.on('end', () => {
      if (this.#state === 'open') this.#handlers?.ended()
    })
    socket.on('close', () => this.#closed())
  }

  /** Both sides have ended, or Node has given up; errors have been told before. */
  #closed(): void {
    if (this.#state === 'closed') return
    this.close()
    this.#handlers?.closed(undefined)
  }
}

/** A remote side that is gone without a word is noticed after this and the system's own probes. */
export const keepAliveDelayMs = 60_000

const unspecified = TransportAddress.of('::', 0)

/** Undefined when the remote side has gone before it could be asked for. */
export function remoteOf(socket: Socket): TransportAddress | undefined {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? undefined : TransportAddress.of(remoteAddress, remotePort ?? 0)
}

/** A stream socket of a simulated host: a TCP connection, and the TLS handshake over it where there is one. */

import type { StreamHandlers, StreamSocket, TlsSession } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { TcpConnection } from './tcp.ts'
import type { Handshake } from './tls.ts'
import type { World } from './world.ts'

/** `handshake` is also the time before the connection is there. */
type State = 'handshake' | 'open' | 'closed'

export class SimStream implements StreamSocket {
  readonly #world: World
  readonly #connection: TcpConnection
  readonly #handshake: Handshake | undefined
  readonly #outcome: StreamOutcome
  #handlers: StreamHandlers | undefined
  #state: State = 'handshake'
  #cancelTimeout: () => void

  constructor(
    world: World,
    connection: TcpConnection,
    handshake: Handshake | undefined,
    timeoutMs: number,
    outcome: StreamOutcome,
  ) {
    this.#world = world
    this.#connection = connection
    this.#handshake = handshake
    this.#outcome = outcome
    this.#cancelTimeout = world.after(timeoutMs, () => this.#fail('ETIMEDOUT'))
    connection.attach({
      established: () => this.#established(),
      received: (bytes) => this.#received(bytes),
      drained: () => {
        if (this.#state === 'open') this.#handlers?.drained()
      },
      ended: () => this.#ended(),
      finished: () => this.#finished(),
      failed: (reason) => this.#fail(reason),
    })
  }

  get local(): TransportAddress {
    return this.#connection.local
  }

  get remote(): TransportAddress {
    return this.#connection.remote
  }

  get pendingBytes(): number {
    return this.#connection.pendingBytes
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#connection.write(bytes)
  }

  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  end(): void {
    if (this.#state === 'open') this.#connection.end()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelTimeout()
    this.#connection.close()
  }

  /** The connection could not even be tried. */
  refuse(reason: string): void {
    this.#world.soon(() => this.#fail(reason))
  }

  #established(): void {
    if (!this.#outcome.connected()) {
      this.close()
      return
    }
    if (this.#handshake === undefined) {
      this.#open(undefined)
      return
    }
    const first = this.#handshake.start()
    if (first !== undefined) this.#connection.write(first)
  }

  #received(bytes: Uint8Array): void {
    if (this.#state === 'open') {
      this.#handlers?.data(bytes)
      return
    }
    if (this.#state === 'closed' || this.#handshake === undefined) return
    const result = this.#handshake.handle(bytes)
    if (result.answer !== undefined) this.#connection.write(result.answer)
    if (result.type === 'failed') this.#fail(result.reason)
    else if (result.type === 'done') {
      this.#open(result.session)
      if (result.rest.length > 0 && this.#isOpen()) this.#handlers?.data(result.rest.slice())
    }
  }

  #open(session: TlsSession | undefined): void {
    this.#state = 'open'
    this.#cancelTimeout()
    this.#handlers = this.#outcome.opened(session)
  }

  #ended(): void {
    if (this.#state === 'open') this.#handlers?.ended()
    else this.#fail('ECONNRESET')
  }

  #finished(): void {
    if (this.#state !== 'open') return
    this.close()
    this.#handlers?.closed(undefined)
  }

  #fail(reason: string): void {
    const state = this.#state
    if (state === 'closed') return
    this.close()
    if (state === 'open') this.#handlers?.closed(reason)
    else this.#outcome.failed(reason)
  }

  #isOpen(): boolean {
    return this.#state === 'open'
  }
}

/** What the one who connects, or listens, makes of it. */
export interface StreamOutcome {
  /** The TCP connection is there. False closes it. */
  connected(): boolean
  /** Who hears of the stream from now on. */
  opened(session: TlsSession | undefined): StreamHandlers
  failed(reason: string): void
}

/**
 * A TurnClient with a Host's sockets: one allocation, from `openTurn` until `closed` or `failed`. What is left behind
 * then is nothing: no socket, no timer, no allocation.
 */

import type { Host } from '../core/host.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { TurnClient } from '../turn/client/client.ts'
import type { ClientCounters } from '../turn/client/data-path.ts'
import type { TurnClientOptions, TurnServerAddress } from '../turn/client/options.ts'
import type { ClientAllocation, TurnClientEvent } from '../turn/client/outputs.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { type ClientTlsOptions, type OpenClientTransport, openClientTransport } from './client-transport.ts'

export interface TurnConnectionOptions extends TurnClientOptions {
  /** The address to send from; the system chooses unless given. The port should be 0: a new one may be needed. */
  readonly local?: TransportAddress | undefined
  readonly tls?: ClientTlsOptions | undefined
  readonly connectTimeoutMs?: number | undefined
}

export interface TurnConnectionHandlers {
  /** In order. After `failed` or `closed` nothing follows. */
  event(event: TurnClientEvent): void
  /** A packet from a peer. The bytes belong to the receiver; `peer` is good for this call. */
  data(bytes: Uint8Array, peer: AddressWords): void
}

export interface TurnConnection {
  readonly allocation: ClientAllocation | undefined
  readonly counters: ClientCounters
  /** How the server is reached; undefined while that is being found out. */
  readonly transport: ClientTransport | undefined
  /** The local address of the socket or connection to the server; undefined while there is none. */
  readonly local: TransportAddress | undefined
  roundTripMs(): number | undefined
  /** See `TurnClient`: kept until `forget`, and noted if there is no allocation yet. */
  permit(peer: TransportAddress): void
  bindChannel(peer: TransportAddress): void
  forget(peer: TransportAddress): void
  /** False if it was not sent: the peer is not permitted, or the server takes less than it is given. */
  send(payload: Uint8Array, peer: AddressWords): boolean
  /** The network has changed: moves the allocation, or makes another one. */
  move(): void
  /** The network may have changed: asks the server whether the allocation is still there. */
  verify(): void
  /** Deletes the allocation on the server; `closed` follows. */
  close(): void
  /** Ends at once, and leaves the allocation to expire. No handler is called afterwards. */
  destroy(): void
}

/** Limit: what may wait for a server that reads slowly. Data beyond is dropped in whole frames; requests are not. */
const maxPendingBytes = 1024 * 1024

/** Makes an allocation and keeps it. No handler is called before this has returned. */
export function openTurn(
  host: Host,
  options: TurnConnectionOptions,
  handlers: TurnConnectionHandlers,
): TurnConnection {
  return new Connection(host, options, handlers)
}

class Connection implements TurnConnection {
  readonly #host: Host
  readonly #options: TurnConnectionOptions
  readonly #handlers: TurnConnectionHandlers
  readonly #client: TurnClient
  #transport: OpenClientTransport | undefined
  #armedAt: Instant | undefined
  #disarm: () => void = () => {}
  #isOver = false
  local: TransportAddress | undefined

  constructor(host: Host, options: TurnConnectionOptions, handlers: TurnConnectionHandlers) {
    this.#host = host
    this.#options = options
    this.#handlers = handlers
    this.#client = new TurnClient(options, host.random)
    this.#client.allocate(host.clock.now())
    this.#drain()
  }

  get allocation(): ClientAllocation | undefined {
    return this.#client.allocation
  }

  get counters(): ClientCounters {
    return this.#client.counters
  }

  get transport(): ClientTransport {
    return this.#options.transport
  }

  roundTripMs(): number | undefined {
    return this.#client.roundTripMs(this.#host.clock.now())
  }

  permit(peer: TransportAddress): void {
    this.#client.permit(peer, this.#host.clock.now())
    this.#drain()
  }

  bindChannel(peer: TransportAddress): void {
    this.#client.bindChannel(peer, this.#host.clock.now())
    this.#drain()
  }

  forget(peer: TransportAddress): void {
    this.#client.forget(peer)
    this.#drain()
  }

  send(payload: Uint8Array, peer: AddressWords): boolean {
    const transport = this.#transport
    const server = this.#client.allocation?.server
    if (transport === undefined || server === undefined || transport.pendingBytes > maxPendingBytes)
      return false
    const frame = this.#client.wrap(peer, payload, this.#host.clock.now())
    if (frame === undefined) return false
    transport.send(frame, server)
    return true
  }

  move(): void {
    this.#client.move(this.#host.clock.now())
    this.#drain()
  }

  verify(): void {
    this.#client.verify(this.#host.clock.now())
    this.#drain()
  }

  close(): void {
    this.#client.close(this.#host.clock.now())
    this.#drain()
  }

  destroy(): void {
    this.#isOver = true
    this.#disarm()
    this.#closeTransport()
  }

  /** Carries out what the client asks for, tells what has happened, and sets the one timer. */
  #drain(): void {
    for (let output = this.#client.poll(); output !== undefined; output = this.#client.poll()) {
      if (this.#isOver) return
      switch (output.type) {
        case 'open-transport':
          this.#open(output.server)
          break
        case 'close-transport':
          this.#closeTransport()
          break
        case 'transmit':
          this.#transport?.send(output.bytes, output.destination)
          break
        case 'failed':
        case 'closed':
          this.destroy()
          this.#handlers.event(output)
          return
        default:
          this.#handlers.event(output)
      }
    }
    if (!this.#isOver) this.#arm()
  }

  #open({ address, name }: TurnServerAddress): void {
    const { transport: kind, local, tls, connectTimeoutMs } = this.#options
    const transport = openClientTransport(
      this.#host,
      { transport: kind, server: address, serverName: name, local, tls, alpn: 'stun.turn', connectTimeoutMs },
      {
        opened: (bound) => {
          this.local = bound
          this.#client.transportOpened(this.#host.clock.now())
          this.#drain()
        },
        failed: (reason) => {
          if (this.#transport === transport) this.#transport = undefined
          this.#client.transportFailed(reason, this.#host.clock.now())
          this.#drain()
        },
        frame: (bytes, source) => this.#receive(bytes, source),
        sendFailed: (reason) => {
          // Once there is an allocation, what is lost on the way is UDP's business and comes back by itself.
          if (this.#client.allocation !== undefined || !isUnreachable(reason)) return
          this.#client.transportFailed(reason, this.#host.clock.now())
          this.#drain()
        },
      },
    )
    this.#transport = transport
  }

  #receive(bytes: Uint8Array, source: AddressWords): void {
    const data = this.#client.handleDatagram(bytes, source, this.#host.clock.now())
    if (data === undefined) this.#drain()
    else this.#handlers.data(bytes.subarray(data.start, data.end), data.peer)
  }

  #closeTransport(): void {
    this.#transport?.close()
    this.#transport = undefined
    this.local = undefined
  }

  /** A timer that comes too early is set again when it comes: that is cheaper than to move it with every packet. */
  #arm(): void {
    const due = this.#client.pollTimeout()
    if (due === undefined || (this.#armedAt !== undefined && this.#armedAt <= due)) return
    this.#disarm()
    this.#armedAt = due
    this.#disarm = this.#host.clock.schedule(due, () => {
      this.#armedAt = undefined
      this.#client.handleTimeout(this.#host.clock.now())
      this.#drain()
    })
  }
}

/** The system knows of no way to the server: nothing is gained by waiting. */
function isUnreachable(reason: string): boolean {
  return reason === 'ENETUNREACH' || reason === 'EHOSTUNREACH' || reason === 'EADDRNOTAVAIL'
}

/** One client of a load: an allocation with a channel to the peer, over UDP, TCP or TLS. */

import type { Host } from '../core/host.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { openTurn, type TurnConnection, type TurnConnectionOptions } from '../net/turn-connection.ts'
import type { PeerFailure, TurnFailure } from '../turn/client/failure.ts'
import type { TurnClientEvent } from '../turn/client/outputs.ts'

/** What came to nothing, and at which step. */
export interface FlowFault {
  readonly step: 'allocate' | 'channel' | 'kept' | 'redirect'
  readonly failure: TurnFailure | PeerFailure
}

export interface FlowHandlers {
  /** Allocated and bound: data may pass. Called once, unless `failed` is. */
  ready(flow: Flow): void
  /** There is no allocation, or none any more. Nothing follows but `ended`. */
  failed(flow: Flow, fault: FlowFault): void
  /** `close` is done. */
  ended(flow: Flow): void
  /** A packet of the peer. */
  data(bytes: Uint8Array): void
}

type State = 'allocating' | 'binding' | 'ready' | 'failed' | 'closing' | 'ended'

export class Flow {
  readonly #connection: TurnConnection
  readonly #peer: TransportAddress
  readonly #handlers: FlowHandlers
  #state: State = 'allocating'
  /** The connection has said its last word. */
  #isOver = false

  /** No handler is called before this has returned. */
  constructor(host: Host, options: TurnConnectionOptions, peer: TransportAddress, handlers: FlowHandlers) {
    this.#handlers = handlers
    this.#peer = peer
    this.#connection = openTurn(host, options, {
      event: (event) => this.#handle(event),
      data: (bytes: Uint8Array, _peer: AddressWords) => handlers.data(bytes),
    })
    this.#connection.bindChannel(peer)
  }

  /** Where the peer sends to; undefined while there is no allocation. */
  get relayed(): TransportAddress | undefined {
    return this.#connection.allocation?.relayed[0]
  }

  /** Where the allocation is: elsewhere than asked, if that server has sent us on. */
  get server(): TransportAddress | undefined {
    return this.#connection.allocation?.server
  }

  /** Our address as the server sees it. */
  get mapped(): TransportAddress | undefined {
    return this.#connection.allocation?.mapped
  }

  /** False if it was not sent. The payload is copied. */
  send(payload: Uint8Array): boolean {
    return this.#connection.send(payload, this.#peer)
  }

  /** Frees the allocation, if there is one; `ended` follows. */
  close(): void {
    if (this.#state === 'closing' || this.#state === 'ended') return
    this.#state = 'closing'
    // An Allocate that is on its way may be granted yet, and is taken back then.
    if (this.#isOver) this.#end()
    else this.#connection.close()
  }

  #handle(event: TurnClientEvent): void {
    switch (event.type) {
      case 'allocated':
        if (this.#state === 'allocating') this.#state = 'binding'
        return
      case 'channel-bound':
        if (this.#state !== 'binding') return
        this.#state = 'ready'
        this.#handlers.ready(this)
        return
      case 'channel-refused':
        this.#fail({ step: 'channel', failure: event.failure })
        return
      case 'allocation-lost':
        this.#fail({ step: 'kept', failure: event.failure })
        return
      case 'failed':
        this.#isOver = true
        if (this.#state === 'closing') this.#end()
        else this.#fail({ step: 'allocate', failure: event.failure })
        return
      case 'closed':
        this.#end()
        return
      default:
    }
  }

  #fail(fault: FlowFault): void {
    if (this.#state === 'failed' || this.#state === 'closing' || this.#state === 'ended') return
    this.#state = 'failed'
    this.#handlers.failed(this, fault)
  }

  #end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#handlers.ended(this)
  }
}

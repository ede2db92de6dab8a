/** One STUN request and its answer, on a socket or connection of its own, over UDP, TCP or TLS (RFC 8489 §6). */

import type { Host, TlsSession } from '../core/host.ts'
import { type Instant, later } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import { StunClient } from '../stun/client.ts'
import type { ClientCredentials } from '../stun/client-authentication.ts'
import type { StunFailure } from '../stun/client-failure.ts'
import type { Message } from '../stun/message.ts'
import type { MethodName } from '../stun/methods.ts'
import type { TransactionTiming } from '../stun/transaction.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { type ClientTlsOptions, type OpenClientTransport, openClientTransport } from './client-transport.ts'

export interface StunExchangeOptions {
  readonly transport: ClientTransport
  readonly server: TransportAddress
  /** The name that the certificate has to be for. */
  readonly serverName?: string | undefined
  /** The address to send from; the system chooses unless given. */
  readonly local?: TransportAddress | undefined
  readonly tls?: ClientTlsOptions | undefined
  /** Binding unless given. */
  readonly method?: MethodName | undefined
  readonly attributes?: readonly Attribute[] | undefined
  /** Whether the answer may come from elsewhere (RFC 5780 §7.2). */
  readonly anySource?: boolean | undefined
  readonly credentials?: ClientCredentials | undefined
  readonly timing?: Partial<TransactionTiming> | undefined
  /** All of it, the connection included; 39.5 s by the protocol's own times unless given. */
  readonly deadlineMs?: number | undefined
}

export type StunExchangeResult =
  | {
      readonly type: 'answered'
      /** Owned by the receiver. */
      readonly response: Message
      /** XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS from a server that has no other. */
      readonly mapped: TransportAddress | undefined
      readonly local: TransportAddress
      readonly source: TransportAddress
      /** Of the answered request alone; undefined when it was sent more than once. */
      readonly roundTripMs: number | undefined
      /** From the first step to the answer. */
      readonly elapsedMs: number
      readonly tls: TlsSession | undefined
    }
  | { readonly type: 'failed'; readonly failure: StunFailure; readonly elapsedMs: number }

/** Calls back once, and not before it has returned. The returned function cancels it. */
export function exchangeStun(
  host: Host,
  options: StunExchangeOptions,
  callback: (result: StunExchangeResult) => void,
): () => void {
  const exchange = new Exchange(host, options, callback)
  return () => exchange.end()
}

class Exchange {
  readonly #host: Host
  readonly #options: StunExchangeOptions
  readonly #callback: (result: StunExchangeResult) => void
  readonly #client: StunClient
  readonly #transport: OpenClientTransport
  readonly #startedAt: Instant
  readonly #cancelDeadline: () => void
  #cancelTimer: () => void = () => {}
  #local: TransportAddress
  #tls: TlsSession | undefined
  #isOver = false

  constructor(host: Host, options: StunExchangeOptions, callback: (result: StunExchangeResult) => void) {
    const { transport, server, serverName, local, tls, credentials, timing, deadlineMs } = options
    this.#host = host
    this.#options = options
    this.#callback = callback
    this.#startedAt = host.clock.now()
    this.#local = server
    this.#client = new StunClient(
      { server, isReliable: transport !== 'udp', credentials, timing },
      host.random,
    )
    this.#transport = openClientTransport(
      host,
      {
        transport,
        server,
        serverName,
        local,
        tls,
        alpn: 'stun.nat-discovery',
        connectTimeoutMs: deadlineMs,
      },
      {
        opened: (bound, session) => this.#begin(bound, session),
        failed: (reason) => this.#fail({ type: 'transport-failed', reason }),
        sendFailed: (reason) => this.#fail({ type: 'transport-failed', reason }),
        frame: (bytes, source) => {
          this.#client.handleDatagram(bytes, source, host.clock.now())
          this.#drain()
        },
      },
    )
    this.#cancelDeadline =
      deadlineMs === undefined
        ? () => {}
        : host.clock.schedule(later(this.#startedAt, deadlineMs), () => this.#fail({ type: 'timed-out' }))
  }

  /** Nothing is heard of it any more. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer()
    this.#cancelDeadline()
    this.#transport.close()
  }

  #begin(local: TransportAddress, tls: TlsSession | undefined): void {
    this.#local = local
    this.#tls = tls
    const { method = 'Binding', attributes = [], anySource = false } = this.#options
    this.#client.request({ method, attributes, anySource, context: undefined }, this.#host.clock.now())
    this.#drain()
  }

  #drain(): void {
    for (let output = this.#client.poll(); output !== undefined; output = this.#client.poll()) {
      if (output.type === 'transmit') this.#transport.send(output.bytes, output.destination)
      else if (output.type === 'failed') this.#fail(output.failure)
      else {
        const { response, source, roundTripMs } = output
        const mapped = response.get('XOR-MAPPED-ADDRESS') ?? response.get('MAPPED-ADDRESS')
        this.#finish({
          type: 'answered',
          response,
          mapped,
          local: this.#local,
          source: TransportAddress.from(source),
          roundTripMs,
          elapsedMs: this.#elapsedMs(),
          tls: this.#tls,
        })
      }
    }
    this.#cancelTimer()
    const due = this.#isOver ? undefined : this.#client.pollTimeout()
    if (due === undefined) return
    this.#cancelTimer = this.#host.clock.schedule(due, () => {
      this.#client.handleTimeout(this.#host.clock.now())
      this.#drain()
    })
  }

  #fail(failure: StunFailure): void {
    this.#finish({ type: 'failed', failure, elapsedMs: this.#elapsedMs() })
  }

  #finish(result: StunExchangeResult): void {
    if (this.#isOver) return
    this.end()
    this.#callback(result)
  }

  #elapsedMs(): number {
    return this.#host.clock.now() - this.#startedAt
  }
}

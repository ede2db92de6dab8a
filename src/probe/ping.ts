/**
 * `pingServers`: latency, jitter and loss of STUN and TURN servers by Binding requests, one an interval, none of which is
 * sent again: what is lost counts as lost. Over TCP and TLS one connection is kept, and made again when it breaks.
 */

import type { Host } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import {
  type ClientTlsOptions,
  type OpenClientTransport,
  openClientTransport,
} from '../net/client-transport.ts'
import { type ResolvedServer, resolveServer } from '../net/resolve-server.ts'
import { encodeMessage } from '../stun/encode.ts'
import { decodeMessage } from '../stun/message.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { Run } from './run.ts'
import { type RoundTrips, summarize } from './statistics.ts'

export const pingSchema = 'turnpike.ping/1'

export interface PingOptions {
  readonly servers: readonly ServerUri[]
  /** Pings of each server; without end unless given. */
  readonly count?: number | undefined
  readonly intervalMs?: number | undefined
  /** After that a ping is lost. */
  readonly timeoutMs?: number | undefined
  readonly tls?: ClientTlsOptions | undefined
  readonly signal?: AbortSignal | undefined
  readonly tool?: string | undefined
  /** A ping has come back, or is lost. */
  readonly onPing?: ((ping: Ping, report: PingReport) => void) | undefined
  readonly isRefused?: ((address: TransportAddress) => Promise<boolean>) | undefined
}

export interface Ping {
  readonly uri: string
  /** From 1. */
  readonly sequence: number
  /** null: lost. */
  readonly rttMs: number | null
  readonly reason: string | null
}

export interface PingServerReport extends RoundTrips {
  readonly uri: string
  readonly transport: ClientTransport
  readonly address: string | null
  readonly lastMs: number | null
  /** The last ones, the newest at the end; null is a lost one. */
  readonly history: readonly (number | null)[]
  /** Why there is no way to it; null while there is one. */
  readonly failure: string | null
}

export interface PingReport {
  readonly schema: typeof pingSchema
  readonly tool: string
  readonly time: string
  readonly durationMs: number
  /** Ended before all pings were sent. */
  readonly isPartial: boolean
  readonly servers: readonly PingServerReport[]
}

export const pingDefaults = { intervalMs: 1000, timeoutMs: 2000 } as const
const historyLength = 40
const forever = 2 ** 45

export async function pingServers(host: Host, options: PingOptions): Promise<PingReport> {
  const { intervalMs = pingDefaults.intervalMs, timeoutMs = pingDefaults.timeoutMs, count, signal } = options
  const run = new Run(host, forever)
  const stop = () => run.stop()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()
  let pingers: Pinger[] = []
  const reportNow = (isPartial: boolean): PingReport => ({
    schema: pingSchema,
    tool: options.tool ?? 'turnpike',
    time: new Date(host.clock.epochSeconds() * 1000).toISOString(),
    durationMs: Math.round(run.elapsedMs),
    isPartial,
    servers: pingers.map((pinger) => pinger.report()),
  })
  try {
    pingers = options.servers.map(
      (uri) => new Pinger(run, uri, options, timeoutMs, (ping) => options.onPing?.(ping, reportNow(true))),
    )
    await Promise.all(pingers.map((pinger) => pinger.resolve()))
    const startMs = run.elapsedMs
    let sent = 0
    while (!run.isOver && (count === undefined || sent < count)) {
      sent++
      for (const pinger of pingers) pinger.ping(sent)
      if (sent === count) break
      await run.sleep(Math.max(0, startMs + sent * intervalMs - run.elapsedMs))
    }
    if (!run.isOver) await Promise.all(pingers.map((pinger) => pinger.settled()))
    return reportNow(count !== undefined && sent < count)
  } finally {
    signal?.removeEventListener('abort', stop)
    for (const pinger of pingers) pinger.close()
    run.close()
  }
}

interface Pending {
  readonly sequence: number
  readonly sentMs: number
  readonly cancel: () => void
}

class Pinger {
  readonly #run: Run
  readonly #uri: ServerUri
  readonly #text: string
  readonly #options: PingOptions
  readonly #timeoutMs: number
  readonly #onPing: (ping: Ping) => void
  readonly #transportName: ClientTransport
  readonly #pending = new Map<string, Pending>()
  readonly #roundTrips = new Map<number, number>()
  readonly #history: (number | null)[] = []
  #server: ResolvedServer | undefined
  #transport: OpenClientTransport | undefined
  #isOpen = false
  #waiting: (() => void)[] = []
  #done = 0
  #sent = 0
  #lastMs: number | null = null
  #failure: string | null = null
  #whenSettled = () => {}

  constructor(
    run: Run,
    uri: ServerUri,
    options: PingOptions,
    timeoutMs: number,
    onPing: (ping: Ping) => void,
  ) {
    this.#run = run
    this.#uri = uri
    this.#text = formatServerUri(uri)
    this.#options = options
    this.#timeoutMs = timeoutMs
    this.#onPing = onPing
    this.#transportName = uri.scheme.endsWith('s') ? 'tls' : (uri.transport ?? 'udp')
  }

  async resolve(): Promise<void> {
    const transports = [this.#transportName]
    const result = await new Promise<Parameters<Parameters<typeof resolveServer>[3]>[0]>((done) =>
      resolveServer(this.#run.host, this.#uri, { transports }, done),
    )
    if (result.type === 'failed') this.#failure = result.reason
    else this.#server = result.servers[0]
    const { isRefused } = this.#options
    if (this.#server === undefined || this.#transportName !== 'udp' || isRefused === undefined) return
    void isRefused(this.#server.address).then((isIt) => {
      if (isIt) this.#failure = 'ECONNREFUSED'
    })
  }

  ping(sequence: number): void {
    this.#sent++
    if (this.#server === undefined) {
      this.#lost(sequence, this.#failure ?? 'no address')
      return
    }
    if (this.#transport === undefined) this.#open(this.#server)
    const send = () => this.#send(sequence)
    if (this.#isOpen) send()
    else this.#waiting.push(send)
  }

  /** Resolves when each ping is back or lost. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenSettled = resolve
      if (this.#done === this.#sent) resolve()
      void this.#run.sleep(this.#timeoutMs + 11_000).then(() => resolve())
    })
  }

  close(): void {
    for (const { cancel } of this.#pending.values()) cancel()
    this.#pending.clear()
    this.#transport?.close()
  }

  report(): PingServerReport {
    const inOrder = [...this.#roundTrips].sort(([x], [y]) => x - y).map(([, rttMs]) => rttMs)
    return {
      uri: this.#text,
      transport: this.#transportName,
      address: this.#server === undefined ? null : `${this.#server.address}`,
      ...summarize(inOrder, this.#done),
      lastMs: this.#lastMs,
      history: this.#history.slice(-historyLength),
      failure: this.#failure,
    }
  }

  #open({ address, name, transport }: ResolvedServer): void {
    const opened = openClientTransport(
      this.#run.host,
      { transport, server: address, serverName: name, tls: this.#options.tls, alpn: 'stun.nat-discovery' },
      {
        opened: () => {
          this.#isOpen = true
          if (transport !== 'udp') this.#failure = null
          for (const send of this.#waiting.splice(0)) send()
        },
        failed: (reason) => this.#lose(reason),
        sendFailed: (reason) => {
          this.#failure = reason
        },
        frame: (bytes) => this.#receive(bytes),
      },
    )
    this.#transport = opened
  }

  /** The next ping makes another connection; those under way are lost. */
  #lose(reason: string): void {
    this.#transport = undefined
    this.#isOpen = false
    this.#failure = reason
    const unsent = this.#waiting.splice(0).length
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { sequence, cancel } of pending) {
      cancel()
      this.#lost(sequence, reason)
    }
    for (let i = unsent; i > 0; i--) this.#lost(this.#sent - i + 1, reason)
  }

  #send(sequence: number): void {
    const { clock, random } = this.#run.host
    const transactionId = random.bytes(12)
    const key = transactionId.join(',')
    const cancel = clock.schedule(later(clock.now(), this.#timeoutMs), () => {
      this.#pending.delete(key)
      this.#lost(sequence, this.#failure ?? 'no answer')
    })
    this.#pending.set(key, { sequence, sentMs: this.#run.elapsedMs, cancel })
    const bytes = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })
    this.#transport!.send(bytes, this.#server!.address)
  }

  /** Any answer is one: a server that wants credentials for Binding is as far away as any other. */
  #receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes)
    if (typeof message === 'string') return
    const key = message.transactionId.join(',')
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    this.#pending.delete(key)
    pending.cancel()
    this.#failure = null
    const rttMs = Math.round((this.#run.elapsedMs - pending.sentMs) * 100) / 100
    this.#roundTrips.set(pending.sequence, rttMs)
    this.#lastMs = rttMs
    this.#finish({ uri: this.#text, sequence: pending.sequence, rttMs, reason: null })
  }

  #lost(sequence: number, reason: string): void {
    this.#finish({ uri: this.#text, sequence, rttMs: null, reason })
  }

  #finish(ping: Ping): void {
    this.#done++
    this.#history.push(ping.rttMs)
    if (this.#history.length > 2 * historyLength) this.#history.splice(0, historyLength)
    this.#onPing(ping)
    if (this.#done === this.#sent) this.#whenSettled()
  }
}

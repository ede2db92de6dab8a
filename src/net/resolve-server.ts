/**
 * Finds the servers of a URI by a Host's DNS (RFC 8489 §8.1, RFC 5928). All queries are made at once, and those that
 * it can do without have a deadline of their own: a resolver that is slow to say "no such record" costs little.
 */

import type { DnsAnswer, DnsQuery, DnsService, Host } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ServerUri } from '../stun/uri.ts'
import { type DiscoveredServer, discoverServers, usableTransports } from '../turn/client/server-discovery.ts'
import { orderServices } from '../turn/client/service-order.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'

export interface ResolvedServer extends DiscoveredServer {
  /** What the certificate has to be for: the host of the URI, wherever DNS has led (RFC 5928 §5). */
  readonly name: string | undefined
}

export interface ResolveServerOptions {
  /** What can be used, the preferred one first. Unless given: UDP for `stun:`, else UDP, TCP and TLS. */
  readonly transports?: readonly ClientTransport[] | undefined
  /** For addresses; 5 s unless given. */
  readonly deadlineMs?: number | undefined
  /** For SRV and NAPTR records; 2 s unless given. */
  readonly discoveryDeadlineMs?: number | undefined
}

export type ResolveServerResult =
  /** At least one, in the order to try them. */
  | { readonly type: 'resolved'; readonly servers: readonly ResolvedServer[] }
  /** The resolver's code, such as ENOTFOUND; `no-transport` when the URI wants one that cannot be used. */
  | { readonly type: 'failed'; readonly reason: string }

const defaultDeadlineMs = 5000
const defaultDiscoveryDeadlineMs = 2000

/** Limit: queries for one URI; records of others must not make us ask on and on. */
const maxQueries = 64

/** Calls back once, and not before it has returned. The returned function cancels it. */
export function resolveServer(
  host: Host,
  uri: ServerUri,
  options: ResolveServerOptions,
  callback: (result: ResolveServerResult) => void,
): () => void {
  const resolution = new Resolution(host, uri, options, callback)
  return () => resolution.end()
}

class Resolution {
  readonly #host: Host
  readonly #uri: ServerUri
  readonly #options: ResolveServerOptions
  readonly #transports: readonly ClientTransport[]
  readonly #callback: (result: ResolveServerResult) => void
  readonly #answers = new Map<string, DnsAnswer | 'pending'>()
  readonly #orders = new Map<string, readonly DnsService[]>()
  readonly #cancels = new Set<() => void>()
  #isOver = false

  constructor(
    host: Host,
    uri: ServerUri,
    options: ResolveServerOptions,
    callback: (result: ResolveServerResult) => void,
  ) {
    this.#host = host
    this.#uri = uri
    this.#options = options
    this.#transports = options.transports ?? (uri.scheme === 'stun' ? ['udp'] : ['udp', 'tcp', 'tls'])
    this.#callback = callback
    // An address needs no query: then too nothing is called back before we have returned.
    if (this.#look() !== undefined) {
      this.#cancels.add(host.clock.schedule(host.clock.now(), () => this.#continue()))
    }
  }

  end(): void {
    this.#isOver = true
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
  }

  #look(): readonly DiscoveredServer[] | undefined {
    return discoverServers({
      uri: this.#uri,
      transports: this.#transports,
      hasIPv6: this.#host.interfaces().some(({ internal, address }) => !internal && isGlobalIPv6(address)),
      ask: (query) => this.#ask(query),
      order: (query, services) => this.#order(query, services),
    })
  }

  #continue(): void {
    const servers = this.#look()
    if (servers === undefined || this.#isOver) return
    this.end()
    this.#callback(this.#result(servers))
  }

  #result(servers: readonly DiscoveredServer[]): ResolveServerResult {
    if (usableTransports(this.#uri, this.#transports).length === 0)
      return { type: 'failed', reason: 'no-transport' }
    const { host, isAddress } = this.#uri
    const distinct = servers.filter((server, i) => servers.findIndex((other) => isSame(server, other)) === i)
    if (distinct.length === 0) return { type: 'failed', reason: this.#failureReason() }
    const name = isAddress ? undefined : host
    return { type: 'resolved', servers: distinct.map((server) => ({ ...server, name })) }
  }

  /** What the resolver said of the addresses; that there is no such record says less than any other failure. */
  #failureReason(): string {
    const reasons = [...this.#answers].flatMap(([key, answer]) =>
      key.startsWith('A') && answer !== 'pending' && answer.type === 'failed' ? [answer.reason] : [],
    )
    return reasons.find((reason) => reason !== 'ENODATA') ?? 'ENOTFOUND'
  }

  #ask(query: DnsQuery): DnsAnswer | undefined {
    const key = keyOf(query)
    const answer = this.#answers.get(key)
    if (answer === undefined) this.#query(query, key)
    const known = this.#answers.get(key)
    return known === 'pending' ? undefined : known
  }

  #query(query: DnsQuery, key: string): void {
    if (this.#answers.size >= maxQueries) {
      this.#answers.set(key, { type: 'failed', reason: 'ECANCELLED' })
      return
    }
    this.#answers.set(key, 'pending')
    const { clock } = this.#host
    const isOptional = query.type === 'SRV' || query.type === 'NAPTR'
    const limitMs = isOptional
      ? (this.#options.discoveryDeadlineMs ?? defaultDiscoveryDeadlineMs)
      : (this.#options.deadlineMs ?? defaultDeadlineMs)
    const settle = (answer: DnsAnswer) => {
      for (const cancel of [cancelQuery, cancelDeadline]) {
        cancel()
        this.#cancels.delete(cancel)
      }
      this.#answers.set(key, answer)
      this.#continue()
    }
    const cancelQuery = this.#host.resolve(query, settle)
    const cancelDeadline = clock.schedule(later(clock.now(), limitMs), () =>
      settle({ type: 'failed', reason: 'ETIMEOUT' }),
    )
    this.#cancels.add(cancelQuery).add(cancelDeadline)
  }

  #order(query: DnsQuery, services: readonly DnsService[]): readonly DnsService[] {
    const key = keyOf(query)
    const ordered = this.#orders.get(key) ?? orderServices(services, this.#host.random)
    this.#orders.set(key, ordered)
    return ordered
  }
}

function keyOf({ type, name }: DnsQuery): string {
  return `${type} ${name.toLowerCase()}`
}

function isSame(x: DiscoveredServer, y: DiscoveredServer): boolean {
  return x.transport === y.transport && x.address.equals(y.address)
}

/** Not link-local, and not unique to a site. */
function isGlobalIPv6(address: TransportAddress): boolean {
  return address.family === 'IPv6' && address.a >>> 29 === 1
}

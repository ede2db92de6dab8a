/**
 * From a server's URI to the addresses to try, in order: RFC 8489 §8.1 for STUN, RFC 5928 §3 for TURN, RFC 2782 for
 * SRV and RFC 3958 for NAPTR. Pure: it reads the answers that there are, and says what it still has to know.
 */

import type { DnsAnswer, DnsPointer, DnsQuery, DnsService } from '../../core/host.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import { defaultPorts, isSecure, type ServerUri } from '../../stun/uri.ts'
import type { ClientTransport } from '../socket-numbers.ts'

export interface DiscoveredServer {
  readonly transport: ClientTransport
  readonly address: TransportAddress
}

export interface Discovery {
  readonly uri: ServerUri
  /** What can be used, the preferred one first. */
  readonly transports: readonly ClientTransport[]
  /** Whether this host can send to IPv6 addresses. */
  readonly hasIPv6: boolean
  /** The answer, the same whenever it is asked for; undefined when it is not there yet, and has been asked for now. */
  ask(query: DnsQuery): DnsAnswer | undefined
  /** The services in the order to try them: chosen by weight, the same whenever it is asked for. */
  order(query: DnsQuery, services: readonly DnsService[]): readonly DnsService[]
}

/** Limit: NAPTR records that lead to NAPTR records. */
const maxDepth = 4

/** What each transport is called in NAPTR records (RFC 5928 §3 step 4) and SRV names. */
const protocolTags = { udp: 'turn.udp', tcp: 'turn.tcp', tls: 'turn.tls' } as const
const srvProtocols = { udp: '_udp', tcp: '_tcp', tls: '_tcp' } as const

/** The transports that the URI leaves, in the order of preference; none when it asks for one that is not ours. */
export function usableTransports(
  uri: ServerUri,
  transports: readonly ClientTransport[],
): readonly ClientTransport[] {
  if (isSecure(uri)) return transports.filter((transport) => transport === 'tls')
  if (uri.transport !== undefined) return transports.filter((transport) => transport === uri.transport)
  // Deviation: RFC 5928 has TLS tried for turn: too, on the port of TCP. Only a NAPTR record can mean that.
  return transports.filter((transport) => transport !== 'tls')
}

/** The servers, in order; undefined while an answer is missing. All answers that may matter are asked for at once. */
export function discoverServers(discovery: Discovery): readonly DiscoveredServer[] | undefined {
  const { uri, transports } = discovery
  const usable = usableTransports(uri, transports)
  const port = uri.port ?? defaultPorts[uri.scheme]
  if (uri.isAddress) {
    const address = TransportAddress.of(uri.host, port)
    return usable.map((transport) => ({ transport, address }))
  }
  const isTurn = uri.scheme === 'turn' || uri.scheme === 'turns'
  const plain = all(usable.map((transport) => addresses(discovery, uri.host, port, transport)))
  if (uri.port !== undefined) return plain
  const services = all(
    usable.map((transport) => {
      const name = `_${uri.scheme}.${srvProtocols[transport]}.${uri.host}`
      const found = servicesAt(discovery, name, transport)
      return found === 'none' ? addresses(discovery, uri.host, port, transport) : found
    }),
  )
  if (!isTurn || uri.transport !== undefined) return services
  const pointers = discovery.ask({ type: 'NAPTR', name: uri.host })
  if (pointers === undefined) return undefined
  const relays = pointers.type === 'pointers' ? relayPointers(pointers.pointers) : []
  if (relays.length === 0) return services
  const secured = isSecure(uri) ? usable : transports
  return all(relays.flatMap((pointer) => byPreference(discovery, pointer, secured, 1)))
}

/** Where SRV records lead; `none` when there are none. */
function servicesAt(
  discovery: Discovery,
  name: string,
  transport: ClientTransport,
): readonly DiscoveredServer[] | 'none' | undefined {
  const query = { type: 'SRV', name } as const
  const answer = discovery.ask(query)
  if (answer === undefined) return undefined
  if (answer.type !== 'services' || answer.services.length === 0) return 'none'
  // RFC 2782: a single "." says that the service is decidedly not there.
  const targets = discovery.order(query, answer.services).filter((target) => !['', '.'].includes(target.name))
  return all(targets.map((target) => addresses(discovery, target.name, target.port, transport)))
}

/** A and AAAA, in turn (RFC 8305 §4), IPv6 first; last when this host has none. */
function addresses(
  discovery: Discovery,
  name: string,
  port: number,
  transport: ClientTransport,
): readonly DiscoveredServer[] | undefined {
  const v6 = discovery.ask({ type: 'AAAA', name })
  const v4 = discovery.ask({ type: 'A', name })
  if (v6 === undefined || v4 === undefined) return undefined
  const [first, second] = [addressesOf(v6), addressesOf(v4)]
  const ordered = discovery.hasIPv6 ? interleave(first, second) : [...second, ...first]
  return ordered.map((address) => ({ transport, address: address.withPort(port) }))
}

function addressesOf(answer: DnsAnswer): readonly TransportAddress[] {
  return answer.type === 'addresses' ? answer.addresses : []
}

function interleave<Item>(first: readonly Item[], second: readonly Item[]): Item[] {
  const length = Math.max(first.length, second.length)
  return Array.from({ length }, (_, i) => [first[i], second[i]].filter((item) => item !== undefined)).flat()
}

interface RelayPointer {
  readonly tags: readonly string[]
  readonly flags: string
  readonly replacement: string
}

/** The records about relays, in their order (RFC 3958 §2.2). */
function relayPointers(pointers: readonly DnsPointer[]): RelayPointer[] {
  return [...pointers]
    .sort((x, y) => x.order - y.order || x.preference - y.preference)
    .flatMap(({ flags, service, regexp, replacement }) => {
      const [application, ...tags] = service.toLowerCase().split(':')
      return application === 'relay' && regexp === ''
        ? [{ tags, flags: flags.toLowerCase(), replacement }]
        : []
    })
}

/** What a record leads to, for each of the transports it is good for. */
function byPreference(
  discovery: Discovery,
  pointer: RelayPointer,
  transports: readonly ClientTransport[],
  depth: number,
): (readonly DiscoveredServer[] | undefined)[] {
  return transports
    .filter((transport) => pointer.tags.includes(protocolTags[transport]))
    .map((transport) => follow(discovery, pointer, transport, depth))
}

function follow(
  discovery: Discovery,
  { flags, replacement }: RelayPointer,
  transport: ClientTransport,
  depth: number,
): readonly DiscoveredServer[] | undefined {
  if (flags === 'a') {
    return addresses(discovery, replacement, defaultPorts[transport === 'tls' ? 'turns' : 'turn'], transport)
  }
  if (flags === 's') {
    const found = servicesAt(discovery, replacement, transport)
    return found === 'none' ? [] : found
  }
  if (flags !== '' || depth >= maxDepth) return []
  const answer = discovery.ask({ type: 'NAPTR', name: replacement })
  if (answer === undefined) return undefined
  const pointers = answer.type === 'pointers' ? relayPointers(answer.pointers) : []
  return all(pointers.flatMap((pointer) => byPreference(discovery, pointer, [transport], depth + 1)))
}

/** All of the lists in one; undefined while one of them is missing. */
function all<Item>(lists: readonly (readonly Item[] | undefined)[]): readonly Item[] | undefined {
  return lists.includes(undefined) ? undefined : lists.flatMap((list) => list ?? [])
}

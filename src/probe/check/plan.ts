/**
 * What is tried of a TURN server: what its URI means, and besides UDP, TCP and TLS on the port that it gives and on the
 * usual ones, for people ask "does 443 work" as often as "does it work".
 */

import type { Host } from '../../core/host.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { type ResolveServerResult, resolveServer } from '../../net/resolve-server.ts'
import { formatServerUri, type ServerUri } from '../../stun/uri.ts'
import type { ClientTransport } from '../../turn/socket-numbers.ts'

export interface Attempt {
  readonly uri: string
  readonly transport: ClientTransport
  readonly address: TransportAddress
  /** The host of the URI: what the certificate has to be for. */
  readonly host: string
  /** undefined when the URI has an address. */
  readonly serverName: string | undefined
  readonly isNamed: boolean
  readonly resolveMs: number
}

export interface Unresolved {
  readonly uri: string
  readonly transport: ClientTransport
  readonly port: number
  readonly host: string
  readonly reason: string
}

export interface Place {
  readonly transport: ClientTransport
  readonly port: number
}

export const usualPlaces: readonly Place[] = [
  { transport: 'udp', port: 3478 },
  { transport: 'tcp', port: 3478 },
  { transport: 'tls', port: 5349 },
  { transport: 'tls', port: 443 },
]

const transports: readonly ClientTransport[] = ['udp', 'tcp', 'tls']

/** Limit: addresses of one name. */
const mostAddresses = 4

/** Browsers take a `turn:` URI without a transport for UDP, and so does this. */
export function transportOf({ scheme, transport }: ServerUri): ClientTransport {
  if (scheme === 'turns') return 'tls'
  return transport ?? 'udp'
}

/** Every attempt once, those that the URI means first. `others` are the usual places, or none. */
export async function planOf(
  host: Host,
  uri: ServerUri,
  others: readonly Place[],
): Promise<readonly Attempt[] | Unresolved> {
  const transport = transportOf(uri)
  const startedAt = host.clock.now()
  const result = await resolve(host, uri, transport)
  const resolveMs = Math.round((host.clock.now() - startedAt) * 100) / 100
  const text = formatServerUri(uri)
  const port = uri.port ?? (transport === 'tls' ? 5349 : 3478)
  if (result.type === 'failed') return { uri: text, transport, port, host: uri.host, reason: result.reason }
  const common = { uri: text, host: uri.host, serverName: uri.isAddress ? undefined : uri.host, resolveMs }
  const servers = result.servers.slice(0, mostAddresses)
  const named = servers.map(({ address }): Attempt => ({ ...common, transport, address, isNamed: true }))
  const given =
    others.length === 0 ? [] : transports.map((one) => ({ transport: one, port: servers[0]!.address.port }))
  const beside = [...given, ...others].flatMap((place) =>
    firstOfEachFamily(servers.map(({ address }) => address)).map(
      (address): Attempt => ({
        ...common,
        transport: place.transport,
        address: address.withPort(place.port),
        isNamed: false,
      }),
    ),
  )
  return [...named, ...beside].filter(
    (one, i, all) =>
      i === all.findIndex((other) => other.transport === one.transport && other.address.equals(one.address)),
  )
}

function resolve(host: Host, uri: ServerUri, transport: ClientTransport): Promise<ResolveServerResult> {
  return new Promise((done) => resolveServer(host, uri, { transports: [transport] }, done))
}

function firstOfEachFamily(addresses: readonly TransportAddress[]): TransportAddress[] {
  return addresses.filter(({ family }, i) => i === addresses.findIndex((other) => other.family === family))
}

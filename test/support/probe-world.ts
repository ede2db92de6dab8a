/** A client behind some network, servers of every kind, and what `probeNat` has to find: the simulated truth. */

import type { Host, UdpHandlers } from '../../src/core/host.ts'
import type { AddressWords, TransportAddress } from '../../src/core/transport-address.ts'
import type { Filtering, Mapping } from '../../src/probe/behavior.ts'
import { type NatProbeOptions, probeNat } from '../../src/probe/nat.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import type { Dependency } from '../../src/sim/filter.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { NatPlace, NatPlaceOptions, Place } from '../../src/sim/places.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { keyFile, partnerKeys, startPartner } from './partner-world.ts'

const dependencies: readonly Dependency[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]
const mappings: readonly Mapping[] = ['EIM', 'ADM', 'APDM']
const filterings: readonly Filtering[] = ['EIF', 'ADF', 'APDF']

export interface Kind {
  readonly name: string
  readonly mapping: Mapping
  readonly filtering: Filtering
  readonly isDirect: boolean
}

export const nats: readonly Kind[] = mappings.flatMap((mapping) =>
  filterings.map((filtering) => ({ name: `${mapping}/${filtering}`, mapping, filtering, isDirect: false })),
)
export const open: Kind = { name: 'none', mapping: 'EIM', filtering: 'EIF', isDirect: true }
export const firewall: Kind = { name: 'firewall', mapping: 'EIM', filtering: 'APDF', isDirect: true }
export const kinds: readonly Kind[] = [...nats, open, firewall]

export type ServerKind =
  | 'rfc5780'
  | 'partners'
  | 'ignores-change-request'
  | 'dead-alternate'
  | 'one-address'
  | 'two-plain'
  | 'two-ports'
  | 'turn'

export interface WorldOptions {
  readonly seed: number
  readonly kind: Kind
  readonly server?: ServerKind
  readonly nat?: NatPlaceOptions
  /** Of the client's line, each way. */
  readonly loss?: number
  readonly probe?: Partial<NatProbeOptions>
  /** The NAT forgets its mappings at that time. */
  readonly rebindAtMs?: number
}

export interface ProbeWorld {
  readonly internet: Internet
  readonly report: ProbeReport
}

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const user = { name: 'user', password: 'pass' }

export async function probeWorld(options: WorldOptions): Promise<ProbeWorld> {
  const { seed, kind, server = 'rfc5780', nat, loss, rebindAtMs } = options
  const internet = new Internet({ seed })
  const servers = await startServers(internet, server)
  const start = internet.now
  const place = placeOf(internet, kind, {
    ...(loss === undefined ? {} : { link: { delayMs: 10, loss } }),
    ...nat,
  })
  const client = place.host(kind.isDirect && loss !== undefined ? { link: { delayMs: 10, loss } } : {})
  if (rebindAtMs !== undefined && 'rebind' in place) {
    internet.at(start + rebindAtMs, () => (place as NatPlace).rebind())
  }
  const turn = {
    uri: parseServerUri(`turn:${servers.turn}`),
    credentials: { username: user.name, password: user.password },
  }
  const report = await internet.until(
    probeNat(client, {
      servers: servers.stun.map((address) => parseServerUri(`stun:${address}`)),
      families: ['udp4'],
      turn: server === 'turn' ? turn : undefined,
      ...options.probe,
    }),
  )
  return { internet, report }
}

export function placeOf(internet: Internet, kind: Kind, nat: NatPlaceOptions = {}): Place {
  if (kind.isDirect) return kind.filtering === 'EIF' ? internet : internet.firewall()
  return internet.nat({
    mapping: dependencies[mappings.indexOf(kind.mapping)]!,
    filtering: dependencies[filterings.indexOf(kind.filtering)]!,
    ports: 'random',
    ...nat,
  })
}

interface Servers {
  readonly stun: readonly TransportAddress[]
  readonly turn: TransportAddress | undefined
}

export async function startServers(internet: Internet, kind: ServerKind): Promise<Servers> {
  const first = internet.host()
  const a1 = first.address(3478)
  switch (kind) {
    case 'rfc5780':
    case 'ignores-change-request': {
      const a2 = first.addInterface(internet).addresses[0]!
      const host = kind === 'rfc5780' ? first : ignoringChanges(first)
      await serve(internet, host, [a1], { alternateAddresses: [a2.withPort(0)] })
      return { stun: [a1], turn: undefined }
    }
    case 'partners': {
      const second = internet.host()
      const key = keyFile(partnerKeys.first)
      await startPartner(internet, first, second.address(3478), key.path)
      await startPartner(internet, second, a1, key.path)
      key.remove()
      await internet.runAsync({ for: 3000 })
      return { stun: [a1], turn: undefined }
    }
    case 'dead-alternate': {
      const other = first.addInterface(internet)
      const a2 = other.addresses[0]!
      await serve(internet, first, [a1], { alternateAddresses: [a2.withPort(0)] })
      internet.intercept(({ source, destination }) => source.ip !== a2.ip && destination.ip !== a2.ip)
      return { stun: [a1], turn: undefined }
    }
    case 'one-address':
      await serve(internet, first, [a1])
      return { stun: [a1], turn: undefined }
    case 'two-ports':
      await serve(internet, first, [a1, a1.withPort(3479)])
      return { stun: [a1, a1.withPort(3479)], turn: undefined }
    case 'two-plain': {
      const second = internet.host()
      await serve(internet, first, [a1])
      await serve(internet, second, [second.address(3478)])
      return { stun: [a1, second.address(3478)], turn: undefined }
    }
    case 'turn': {
      const second = internet.host()
      await serve(internet, first, [a1])
      await serve(internet, second, [second.address(3478)])
      return { stun: [a1], turn: second.address(3478) }
    }
  }
}

async function serve(
  internet: Internet,
  host: Host,
  addresses: readonly TransportAddress[],
  more: Partial<ServeConfig> = {},
): Promise<void> {
  await internet.until(
    startServer(
      {
        ...defaultConfig,
        users: [user],
        listen: addresses.map((address) => ({ transport: 'udp', address, isOptional: false })),
        ...more,
      },
      host,
      quiet,
    ),
  )
}

/** The host of a server that never sees CHANGE-REQUEST: it answers from where it was asked. */
function ignoringChanges(host: SimHost): Host {
  const strip = (bytes: Uint8Array): Uint8Array => {
    const message = decodeMessage(bytes)
    if (typeof message === 'string' || !message.has('CHANGE-REQUEST') || message.class !== 'request')
      return bytes
    const { transactionId } = message
    return encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })
  }
  return new Proxy(host, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name === 'bindUdp') {
        return (options: Parameters<Host['bindUdp']>[0], handlers: UdpHandlers) =>
          target.bindUdp(options, {
            bound: (local) => handlers.bound(local),
            failed: (reason) => handlers.failed(reason),
            datagram: (bytes: Uint8Array, source: AddressWords) => handlers.datagram(strip(bytes), source),
            sendFailed: (reason) => handlers.sendFailed(reason),
          })
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function legacyOf({ isDirect, mapping, filtering }: Kind): string {
  if (isDirect) return filtering === 'EIF' ? 'open-internet' : 'symmetric-udp-firewall'
  if (mapping !== 'EIM') return 'symmetric'
  return { EIF: 'full-cone', ADF: 'restricted-cone', APDF: 'port-restricted-cone' }[filtering]
}

/** What the report says that is not so; what it leaves open is no offence. */
export function wrongWords({ report }: ProbeWorld, { kind, nat = {}, rebindAtMs }: WorldOptions): string[] {
  const udp = report.families.udp4
  if (udp === undefined) return ['udp4 is not in the report']
  const wrong: string[] = []
  const expect = (name: string, said: unknown, truth: unknown) => {
    if (said !== null && said !== truth) wrong.push(`${name}: said ${said}, is ${truth}`)
  }
  const isBlocked = (nat.outbound ?? 'open') !== 'open'
  expect('reachable', udp.reachable.value, !isBlocked)
  if (isBlocked) {
    if (udp.nat !== null || report.verdict.legacy !== null)
      wrong.push('a NAT was named, and no packet passes')
    if (/likely/.test(report.verdict.direct)) wrong.push(`direct connections: said ${report.verdict.direct}`)
    return wrong
  }
  expect('legacy name', report.verdict.legacy, legacyOf(kind))
  // A typical home's NAT is EIM with APDF: whoever has EIM connects with it (the table of two NATs).
  if (report.verdict.direct !== 'unknown') {
    expect('direct connections', report.verdict.direct, kind.mapping === 'EIM' ? 'likely' : 'unlikely')
  }
  if (udp.nat === null) return wrong
  expect('direct', udp.isDirect.value, kind.isDirect)
  const found = udp.nat
  expect('mapping', found.mapping.value, kind.mapping)
  if (!found.mapping.possible.includes(kind.mapping))
    wrong.push(`mapping: ${found.mapping.possible} leaves out ${kind.mapping}`)
  expect('filtering', found.filtering.value, kind.filtering)
  if (!found.filtering.possible.includes(kind.filtering)) {
    wrong.push(`filtering: ${found.filtering.possible} leaves out ${kind.filtering}`)
  }
  expect('alg', found.alg.value, nat.alg === true)
  expect('fragments', found.fragments.value, true)
  if (rebindAtMs === undefined) {
    const ports = kind.isDirect ? 'preserved' : (nat.ports ?? 'random')
    expect('preserved', found.portPreserved.value, ports === 'preserved')
    expect('allocation', found.allocation.value, ports)
    expect('parity', found.parity.value, ports === 'preserved' || nat.parity === true)
  }
  expect('poisoned', found.inboundPoisonsMapping.value, nat.poisonedByInbound === true)
  expect('hairpin', found.hairpin.value, (nat.hairpin ?? 'none') !== 'none')
  if (found.publicIps > (typeof nat.addresses === 'number' ? nat.addresses : 1))
    wrong.push(`${found.publicIps} public addresses`)
  return wrong
}

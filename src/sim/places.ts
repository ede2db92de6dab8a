/** Where hosts and routers can be put: the internet itself, and behind every NAT, firewall or router on it. */

import { TurnpikeError } from '../core/errors.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { Dependency } from './filter.ts'
import { Firewall } from './firewall.ts'
import { type HostOptions, SimHost } from './host.ts'
import type { Attachable } from './interface.ts'
import type { LinkOptions } from './link.ts'
import type { Middlebox, OutboundPolicy } from './middlebox.ts'
import { PolicyBox } from './middlebox.ts'
import { Nat } from './nat.ts'
import type { NatMapping } from './nat-mappings.ts'
import type { NatOptions } from './nat-options.ts'
import { type LinkPair, Network } from './network.ts'
import { addressAt, type Prefix, parsePrefix } from './prefix.ts'
import { Router } from './router.ts'
import { StaticNat } from './static-nat.ts'
import type { World } from './world.ts'

/** What every router can have. */
export interface EdgeOptions {
  readonly name?: string
  /** The line to the outside, both directions. */
  readonly link?: LinkOptions
  /** Lines of the hosts inside, unless they have their own. */
  readonly insideLink?: LinkOptions
  /** What is let out. */
  readonly outbound?: OutboundPolicy
  /** What becomes of packets from outside that nothing inside has asked for. */
  readonly unsolicited?: 'dropped' | 'rejected'
}

export interface NatPlaceOptions extends EdgeOptions, Partial<NatOptions> {
  /** How many external addresses it has, or which. */
  readonly addresses?: number | readonly string[]
  /** The IPv4 network inside, such as `192.168.1.0/24`; each NAT has one of its own unless given. */
  readonly inside?: string
  /** Whether hosts inside have IPv6 addresses too, and whether a stateful firewall stands before them. */
  readonly IPv6?: 'none' | 'filtered' | 'open'
}

export interface StaticNatOptions extends EdgeOptions {
  /** How many external addresses it has, or which: one for each host inside, in their order. */
  readonly addresses?: number | readonly string[]
  readonly inside?: string
}

export interface FirewallPlaceOptions extends EdgeOptions {
  readonly filtering?: Dependency
  readonly lifetimeMs?: number
  readonly tcpLifetimeMs?: number
  readonly inboundRefresh?: boolean
}

export interface Nat64Options extends EdgeOptions, Partial<NatOptions> {
  readonly addresses?: number | readonly string[]
  /** The prefix of 96 bits. */
  readonly prefix?: string
}

/** What a NAT is like unless told otherwise: the most common home router. */
export const defaultNat: NatOptions = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  filterScope: 'mapping',
  ports: 'preserved',
  parity: false,
  portRange: [1024, 65_535],
  pooling: 'paired',
  hairpin: 'none',
  // RFC 4787 §4.3 REQ-5, RFC 5382 §5 REQ-5.
  lifetimeMs: 120_000,
  singleExchangeLifetimeMs: 120_000,
  tcpLifetimeMs: 7_440_000,
  inboundRefresh: false,
  poisonedByInbound: false,
  alg: false,
}

export class Place implements Attachable {
  readonly network: Network
  readonly defaultLink: LinkPair
  protected readonly world: World

  constructor(world: World, network: Network, link: LinkOptions) {
    this.world = world
    this.network = network
    this.defaultLink = { up: link, down: link }
  }

  /** A host with one interface here. `addInterface` gives it more. */
  host(options: HostOptions = {}): SimHost {
    const host = new SimHost(this.world, options.hostName ?? this.world.nameFor('host'), options)
    host.addInterface(this, options)
    return host
  }

  /** A NAT whose outside is here; hosts go behind it. */
  nat(options: NatPlaceOptions = {}): NatPlace {
    return new NatPlace(this.world, this, options)
  }

  /** A 1:1 NAT, as clouds have it. */
  staticNat(options: StaticNatOptions = {}): StaticNatPlace {
    return new StaticNatPlace(this.world, this, options)
  }

  /** A stateful firewall; hosts behind it have public addresses. */
  firewall(options: FirewallPlaceOptions = {}): Place {
    const { world } = this
    const prefixes = families(this).map((family) => world.publicPrefix(family))
    const inside = insideNetwork(world, options.name ?? 'firewall', prefixes)
    return edge(world, this, inside, options, {
      outsideAddresses: families(this).map((family) => this.network.freeAddress(family)),
      routed: prefixes,
      middleboxes: [new Firewall(options)],
    })
  }

  /** A router that lets everything through. */
  router(options: EdgeOptions = {}): Place {
    return this.firewall({ ...options, filtering: 'endpoint-independent' })
  }

  /** A network that speaks only IPv6, with a NAT64 and a DNS64 at its edge. */
  nat64(options: Nat64Options = {}): NatPlace {
    return new NatPlace(this.world, this, options, options.prefix ?? '64:ff9b::/96')
  }
}

export class NatPlace extends Place {
  readonly #nat: Nat
  readonly #outside: Network
  readonly #router: Router

  constructor(world: World, outside: Place, options: NatPlaceOptions, prefix64?: string) {
    const name = options.name ?? world.nameFor(prefix64 === undefined ? 'nat' : 'nat64')
    const hasIPv6 = prefix64 !== undefined || (options.IPv6 ?? 'none') !== 'none'
    const translated = prefix64 === undefined ? undefined : addressAt(parsePrefix(prefix64), 0)
    const native = hasIPv6 && outside.network.IPv6 !== undefined ? [world.publicPrefix('IPv6')] : []
    const prefixes = [
      ...(prefix64 === undefined ? [parsePrefix(options.inside ?? world.privatePrefix())] : []),
      ...(native.length === 0 && hasIPv6 ? [world.publicPrefix('IPv6')] : native),
    ]
    const inside = insideNetwork(world, name, prefixes)
    inside.prefix64 = translated
    super(world, inside, options.insideLink ?? {})
    const addresses = externalAddresses(outside, options.addresses ?? 1)
    const nat = new Nat(natOptions(options), addresses, world.random.fork(), translated)
    const guard = options.IPv6 === 'open' ? [] : [new Firewall({ family: 'IPv6' })]
    const IPv6 = native.length > 0 ? [outside.network.freeAddress('IPv6')] : []
    this.#router = route(world, outside, inside, options, name, {
      outsideAddresses: [...addresses, ...IPv6],
      routed: native,
      // The firewall is for packets that leave as IPv6; the NAT64 makes IPv4 ones of the others.
      middleboxes: [nat, ...guard],
    })
    this.#nat = nat
    this.#outside = outside.network
  }

  /** Its external addresses; the ports are 0. */
  get addresses(): readonly TransportAddress[] {
    return this.#nat.addresses
  }

  /** The mappings in force, to look at when a test fails. */
  mappings(): readonly NatMapping[] {
    return this.#nat.mappings(this.world.now)
  }

  /** Forgets all mappings now; what goes out later gets other ports. */
  rebind(): void {
    this.#nat.rebind()
  }

  /** Forgets all mappings now, and preserves ports again if it did. */
  restart(): void {
    this.#nat.restart()
  }

  /** Forgets all mappings, and has other external addresses from now on. */
  changeAddresses(addresses?: readonly string[]): void {
    const count = this.#nat.addresses.length
    const replacements =
      addresses?.map((ip) => TransportAddress.of(ip, 0)) ??
      Array.from({ length: count }, () => this.#outside.freeAddress('IPv4'))
    const { outside } = this.#router
    const others = outside.addresses.filter(({ family }) => family === 'IPv6')
    this.#outside.setAddresses(outside, [...replacements, ...others])
    this.#nat.setAddresses(replacements)
  }

  /** Changes both directions of its line to the outside. */
  changeLink(options: LinkOptions): void {
    this.#router.outside.up.change(options)
    this.#router.outside.down.change(options)
  }
}

export class StaticNatPlace extends Place {
  readonly #nat: StaticNat

  constructor(world: World, outside: Place, options: StaticNatOptions) {
    const inside = insideNetwork(world, options.name ?? world.nameFor('static-nat'), [
      parsePrefix(options.inside ?? world.privatePrefix()),
    ])
    super(world, inside, options.insideLink ?? {})
    const outsideAddresses = externalAddresses(outside, options.addresses ?? 1)
    this.#nat = new StaticNat(outsideAddresses)
    route(world, outside, inside, options, inside.name, {
      outsideAddresses,
      routed: [],
      middleboxes: [this.#nat],
    })
  }

  /** A host that has the next external address. Throws `configuration-invalid` when there is none left. */
  override host(options: HostOptions = {}): SimHost {
    const host = super.host(options)
    this.externalAddressOf(host)
    return host
  }

  externalAddressOf(host: SimHost): TransportAddress {
    const external = this.#nat.addressOf(host.address(0, 'IPv4'))
    if (external !== undefined) return external
    throw new TurnpikeError(
      'configuration-invalid',
      `${this.network.name} has no external address left for ${host.name}: give it more addresses`,
    )
  }
}

interface EdgeParts {
  readonly outsideAddresses: readonly TransportAddress[]
  readonly routed: readonly Prefix[]
  readonly middleboxes: readonly Middlebox[]
}

function edge(world: World, outside: Place, inside: Network, options: EdgeOptions, parts: EdgeParts): Place {
  route(world, outside, inside, options, options.name ?? inside.name, parts)
  return new Place(world, inside, options.insideLink ?? {})
}

function route(
  world: World,
  outside: Place,
  inside: Network,
  options: EdgeOptions,
  name: string,
  { middleboxes, ...parts }: EdgeParts,
): Router {
  const { up, down } = outside.defaultLink
  const policy = options.outbound === undefined ? [] : [new PolicyBox(options.outbound)]
  return new Router(world, {
    name,
    outside: outside.network,
    inside,
    insideAddresses: families({ network: inside }).map((family) => addressAt(inside[family]!, 1)),
    middleboxes: [...policy, ...middleboxes],
    outsideLink: { up: { ...up, ...options.link }, down: { ...down, ...options.link } },
    insideLink: { up: {}, down: {} },
    unsolicited: options.unsolicited ?? 'dropped',
    ...parts,
  })
}

function insideNetwork(world: World, name: string, prefixes: readonly Prefix[]): Network {
  return new Network(world, `${name} inside`, prefixes)
}

function families({ network }: { network: Network }): ('IPv4' | 'IPv6')[] {
  return (['IPv4', 'IPv6'] as const).filter((family) => network[family] !== undefined)
}

function externalAddresses({ network }: Place, wanted: number | readonly string[]): TransportAddress[] {
  if (typeof wanted !== 'number') return wanted.map((ip) => TransportAddress.of(ip, 0))
  return Array.from({ length: wanted }, () => network.freeAddress('IPv4'))
}

function natOptions(options: Partial<NatOptions>): NatOptions {
  const merged = { ...defaultNat, ...options }
  return {
    ...merged,
    singleExchangeLifetimeMs: options.singleExchangeLifetimeMs ?? merged.lifetimeMs,
  }
}

/**
 * Random sessions, each determined by its seed: what is between the two sides, how lossy it is, how they are set up and
 * what happens to them. Whatever that is, some things hold all the time, and in the end they connect if they can.
 */

import type { TcpType } from '../../src/ice/candidate.ts'
import type { PairSummary } from '../../src/ice/outputs.ts'
import type { SimHost } from '../../src/sim/host.ts'
import type { Internet } from '../../src/sim/internet.ts'
import type { LinkOptions } from '../../src/sim/link.ts'
import type { NatPlace, Place } from '../../src/sim/places.ts'
import { SeededRandom } from '../../src/sim/seeded-random.ts'
import { behaviourOf, type Kind, kinds } from './ice-cell.ts'
import { brokenInvariants, type Invariant, unreasoned } from './ice-invariants.ts'
import { WireRecord } from './ice-record.ts'
import { SignalingChannel } from './ice-signaling.ts'
import { type IceSide, IceWorld, type SideOptions } from './ice-world.ts'

/** What can be left out of a scenario to see whether it still fails. */
export const features = [
  'loss',
  'jitter',
  'duplicates',
  'reordering',
  'signaling delay',
  'carrier',
  'hairpin',
  'tcp',
  'mdns',
  'second stream',
  'role conflict',
  'no renomination',
  'slow pacing',
  'continual gathering',
  'event 1',
  'event 2',
  'event 3',
  'event 4',
] as const
export type Feature = (typeof features)[number]

export interface FuzzResult {
  readonly seed: number
  readonly faults: readonly string[]
  /** What the scenario was, in words. */
  readonly description: string
  readonly hash: string
}

/** What else holds when all is calm, after whatever has happened; the last one leaves both sides failed. */
const inTheEnd: readonly Invariant[] = [
  'what is sent is received, once and as it was',
  'consent is asked for every 4 to 6 s (RFC 7675 §5.1)',
  'what strangers send, and what is forged, changes nothing',
  'nobody is busy while nothing happens',
  'nobody sends for more than 30 s to a peer that has vanished (RFC 7675 §5.1)',
]

const calm: LinkOptions = { loss: 0, duplicate: 0, reorder: 0, jitterMs: 0 }
const connectMs = 40_000
const settleMs = 60_000
const restMs = 300_000
/** Checks, consent and refreshes of two agents at their busiest, with all their retransmissions. */
const mostEventsPerSecond = 3000

/** Runs one scenario. Never throws for what the code under test does wrong: that is a fault. */
export async function runScenario(seed: number, without: readonly Feature[] = []): Promise<FuzzResult> {
  const scenario = new Scenario(seed, without)
  try {
    await scenario.run()
  } catch (error) {
    scenario.faults.push(`thrown: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
  }
  return {
    seed,
    faults: scenario.faults,
    description: scenario.description.join('; '),
    hash: scenario.hash,
  }
}

/** Leaves out one feature after the other for as long as the scenario goes on to fail. */
export async function shrink(seed: number): Promise<readonly Feature[]> {
  let without: readonly Feature[] = []
  for (const feature of features) {
    const fewer = [...without, feature]
    if ((await runScenario(seed, fewer)).faults.length > 0) without = fewer
  }
  return without
}

let observer: (sides: readonly IceSide[]) => void = () => {}

/** Shows the two sides at the end of each scenario, to whoever looks into one that fails. */
export function setObserver(look: (sides: readonly IceSide[]) => void): void {
  observer = look
}

class Scenario {
  readonly faults: string[] = []
  readonly description: string[] = []
  readonly #without: readonly Feature[]
  readonly #random: SeededRandom
  readonly #world: IceWorld
  readonly #nats: NatPlace[] = []
  /** With those of carriers. */
  readonly #allNats: NatPlace[] = []
  readonly #kinds: Kind[] = []
  readonly #relays: boolean[] = []
  readonly #wire: WireRecord
  #isChained = false
  /** Packets may have got lost: what the server has given may not be known to who has asked for it. */
  #isTroubled = false

  constructor(seed: number, without: readonly Feature[]) {
    this.#without = without
    this.#random = new SeededRandom(seed)
    this.#world = new IceWorld({ seed, link: { delayMs: 1 + this.#random.below(60), ...this.#trouble() } })
    this.#wire = new WireRecord(this.#world.internet)
  }

  get hash(): string {
    return this.#world.internet.transcriptHash
  }

  async run(): Promise<void> {
    const world = this.#world
    const { internet } = world
    this.#isTroubled = this.description.some((line) => line.startsWith('loss'))
    await world.startServer()
    const sides = this.#sides()
    const channel = new SignalingChannel(
      sides[0],
      sides[1],
      this.#pick('signaling delay', () => this.#random.below(500), 0),
    )
    for (const side of sides) side.transport.gather()
    channel.offer()
    this.#planEvents(sides, channel)
    this.#pass(connectMs)
    // All is well again; who has given up tries once more.
    this.#calm(sides)
    this.#pass(settleMs)
    if (sides.some((side) => side.state === 'failed' || !side.send('probe'))) {
      channel.restart(sides[0])
      this.#pass(settleMs)
    }
    this.#check(sides)
    observer(sides)
    if (sides.every(({ state }) => state === 'completed')) await this.#checkInvariants(sides)
    this.#close(sides)
    // A TCP connection to where nobody is any more takes its time to give up.
    internet.run({ for: restMs })
    for (const { host } of sides) {
      if (host.openSockets > 0) this.faults.push(`${host.name} has ${host.openSockets} sockets left`)
    }
    if (!internet.run({ for: 0 })) this.faults.push(`something still happens ${restMs} ms after the end`)
  }

  /** Whether the feature is in, and its value then; the dice are thrown in any case. */
  #pick<Value>(feature: Feature, draw: () => Value, otherwise: Value, probability = 0.3): Value {
    const isIn = this.#random.chance(probability)
    const value = draw()
    if (!isIn || this.#without.includes(feature)) return otherwise
    this.description.push(`${feature} ${JSON.stringify(value)}`)
    return value
  }

  #trouble(): LinkOptions {
    const random = this.#random
    return {
      loss: this.#pick('loss', () => random.fraction() * 0.15, 0, 0.5),
      jitterMs: this.#pick('jitter', () => random.below(50), 0),
      duplicate: this.#pick('duplicates', () => random.fraction() * 0.2, 0),
      reorder: this.#pick('reordering', () => random.fraction() * 0.2, 0),
    }
  }

  #sides(): readonly [IceSide, IceSide] {
    const { internet } = this.#world
    const isRoleConflict = this.#pick('role conflict', () => true, false, 0.2)
    const conflicting = this.#random.pick(['controlling', 'controlled'] as const)
    const shared: SideOptions = {
      streams: this.#pick('second stream', () => 2, 1, 0.1),
      renomination: !this.#pick('no renomination', () => true, false),
      pacingMs: this.#pick('slow pacing', () => this.#random.pick([20, 50]), 5),
      continualGathering: this.#pick('continual gathering', () => true, false),
    }
    const [x, y] = (['controlling', 'controlled'] as const).map((role) => {
      const relay = this.#random.chance(0.6)
      this.#relays.push(relay)
      this.description.push(relay ? 'relay' : 'no relay')
      const host = this.#host(internet)
      return this.#world.side(isRoleConflict ? conflicting : role, host, {
        relay,
        ...shared,
        tcp: this.#pick<readonly TcpType[]>('tcp', () => ['active', 'passive'], []),
        mdns: this.#pick('mdns', () => 'hide' as const, 'resolve'),
      })
    })
    return [x!, y!]
  }

  #host(internet: Internet): SimHost {
    const kind = this.#random.pick(kinds)
    this.#kinds.push(kind)
    this.description.push(kind)
    const carrier = this.#pick(
      'carrier',
      () => this.#random.pick(kinds.filter((one) => one.length === 2 && one !== 'FW')),
      undefined,
      0.15,
    )
    const hairpin = this.#pick('hairpin', () => 'external-source' as const, 'none')
    let place: Place = internet
    if (carrier !== undefined) {
      this.#isChained = true
      const nat = internet.nat({ ...behaviourOf(carrier), inside: '100.64.0.0/10', hairpin })
      this.#allNats.push(nat)
      place = nat
    }
    if (kind === 'OPEN') return place.host()
    if (kind === 'FW') return place === internet ? internet.firewall({ link: calm }).host() : place.host()
    const nat = place.nat({
      ...behaviourOf(kind),
      hairpin,
      ports: this.#random.pick(['preserved', 'random', 'sequential']),
    })
    this.#nats.push(nat)
    this.#allNats.push(nat)
    return nat.host()
  }

  #planEvents(sides: readonly IceSide[], channel: SignalingChannel): void {
    for (const feature of ['event 1', 'event 2', 'event 3', 'event 4'] as const) {
      const at = this.#random.below(connectMs - 10_000)
      const kind = this.#random.pick([
        'restart',
        'both restart',
        'interface down',
        'new address',
        'rebind',
        'blackout',
      ] as const)
      const side = this.#random.pick(sides)
      const lastsMs = this.#random.below(15_000)
      const nat = this.#nats.length > 0 ? this.#random.pick(this.#nats) : undefined
      const event = this.#pick(
        feature,
        () => `${kind} of ${side.host.name} at ${at} for ${lastsMs}`,
        undefined,
        0.4,
      )
      if (event === undefined) continue
      this.#isTroubled = true
      this.#at(at, () => {
        if (kind === 'restart') channel.restart(side)
        else if (kind === 'both restart') for (const one of sides) channel.restart(one)
        else if (kind === 'new address') side.host.interface().changeAddresses()
        else if (kind === 'rebind') nat?.rebind()
        else if (kind === 'interface down') {
          side.host.interface().down()
          this.#at(lastsMs, () => side.host.interface().up())
        } else {
          side.host.interface().changeLink({ loss: 1 })
          this.#at(lastsMs, () => side.host.interface().changeLink({ loss: 0 }))
        }
      })
    }
  }

  #at(delayMs: number, action: () => void): void {
    const { internet } = this.#world
    internet.at(internet.now + delayMs, action)
  }

  #calm(sides: readonly IceSide[]): void {
    this.#world.serverHost.interface().changeLink(calm)
    for (const nat of this.#allNats) nat.changeLink(calm)
    for (const { host } of sides) {
      host.interface().up()
      host.interface().changeLink(calm)
    }
  }

  /** Second by second: nobody may ever be busy for nothing. */
  #pass(milliseconds: number): void {
    const { internet } = this.#world
    for (let passed = 0; passed < milliseconds; passed += 1000) {
      const { events, now } = internet
      const isBusy = () => internet.events - events > mostEventsPerSecond
      if (!internet.run({ for: 1000, until: isBusy })) continue
      throw new Error(`${mostEventsPerSecond} events between ${now} and ${internet.now}`)
    }
  }

  #check(sides: readonly [IceSide, IceSide]): void {
    const { internet } = this.#world
    for (const side of sides) this.#checkSide(side)
    if (!this.#canConnect()) return
    const received = sides.map((side) => side.received.length)
    const isSent = sides.map((side) => side.send('the last word'))
    internet.run({ for: 2000 })
    for (const [i, side] of sides.entries()) {
      if (!isSent[i]) this.faults.push(`${side.host.name} is ${side.state} and cannot send`)
      if (side.received.length === received[i]) this.faults.push(`${side.host.name} has got nothing`)
    }
    this.#checkMirror(sides)
  }

  async #checkInvariants(sides: readonly [IceSide, IceSide]): Promise<void> {
    const { internet } = this.#world
    const session = {
      world: this.#world,
      sides,
      wire: this.#wire,
      start: 0,
      isLossy: false,
      transcriptHash: internet.transcriptHash,
      again: () => Promise.resolve(internet),
    }
    // What was said before has arrived by then.
    internet.run({ for: 2000 })
    this.faults.push(...(await brokenInvariants(session, inTheEnd)))
  }

  #checkMirror(sides: readonly [IceSide, IceSide]): void {
    // A pair that has lost its consent is not used again by the side that has lost it, which the other one does not know.
    if (sides.some((side) => side.state !== 'completed' && hasLostConsent(side))) return
    const [x, y] = sides.map(nominatedOf)
    if (sides.some((side, i) => hasLostConsent(side, i === 0 ? y : x))) return
    if (x === undefined || y === undefined) this.faults.push('somebody has no nominated pair')
    else if (
      `${x.local.address}` !== `${y.remote.address}` ||
      `${x.remote.address}` !== `${y.local.address}`
    ) {
      this.faults.push(
        `${x.local.address} - ${x.remote.address} is nominated, and ${y.local.address} - ${y.remote.address}`,
      )
    }
  }

  #checkSide(side: IceSide): void {
    const pairs = side.transport.pairs()
    if (pairs.length > 100) this.faults.push(`${side.host.name} has ${pairs.length} pairs`)
    // RFC 8863, for each description from its own time.
    const started = side.all('state').find(({ event }) => event.state === 'checking')
    const failed = side.all('state').find(({ event }) => event.state === 'failed')
    const wasConnected = side.all('path').some(({ event }) => event.path !== undefined)
    if (!wasConnected && started !== undefined && failed !== undefined && failed.at - started.at < 39_500) {
      this.faults.push(`${side.host.name} failed after ${failed.at - started.at} ms`)
    }
    if (!wasConnected && failed !== undefined) this.faults.push(...unreasoned(side))
  }

  /** Without a relay, only what the matrix of single NATs says is promised. */
  #canConnect(): boolean {
    if (this.#relays.some(Boolean)) return true
    if (this.#isChained) return false
    const [x, y] = this.#kinds
    return isSurelyDirect(x!, y!)
  }

  #close(sides: readonly IceSide[]): void {
    const { internet } = this.#world
    for (const side of sides) side.transport.close()
    internet.run({ for: 5000 })
    for (const { told, host } of sides) {
      if (told.at(-1)?.event.type !== 'closed') this.faults.push(`${host.name} does not close`)
    }
    const { allocations } = this.#world
    if (allocations > 0 && !this.#isTroubled) this.faults.push(`${allocations} allocations are left`)
    this.#world.server?.close()
  }
}

/** Of the first stream. A peer that is aggressive nominates several; a restart that has got nowhere changes nothing. */
function nominatedOf(side: IceSide): PairSummary | undefined {
  const selected = side
    .all('selected-pair')
    .map(({ event }) => event.pair)
    .findLast(({ stream }) => stream === 0)
  const nominated = side.transport.pairs().filter(({ isNominated, stream }) => isNominated && stream === 0)
  return nominated.find((pair) => isSame(pair, selected)) ?? nominated[0] ?? selected
}

/** On the other end of `pair`, or at all. */
function hasLostConsent(side: IceSide, pair?: PairSummary): boolean {
  return side.transport
    .pairs()
    .some(
      ({ failure, local, remote }) =>
        failure === 'consent-expired' &&
        (pair === undefined ||
          (local.address.equals(pair.remote.address) && remote.address.equals(pair.local.address))),
    )
}

function isSame(x: PairSummary, y: PairSummary | undefined): boolean {
  return (
    y !== undefined && x.local.address.equals(y.local.address) && x.remote.address.equals(y.remote.address)
  )
}

/** The pairs of the matrix that connect without a relay, whatever the order of packets. */
function isSurelyDirect(x: Kind, y: Kind): boolean {
  const isFixed = (kind: Kind) => kind === 'OPEN' || kind === 'FW' || kind[0] === 'E'
  const isPicky = (kind: Kind) => kind === 'FW' || kind[1] === 'P'
  if (isFixed(x) && isFixed(y)) return true
  if (isFixed(x)) return x === 'OPEN' || !isPicky(x)
  return isFixed(y) && (y === 'OPEN' || !isPicky(y))
}

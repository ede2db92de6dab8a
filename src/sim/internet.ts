/** The simulated internet: places to put hosts, a clock to run, names to resolve, and a hash of all that happened. */

import { instant } from '../core/time.ts'
import type { SimHost } from './host.ts'
import type { Family } from './interface.ts'
import type { LinkOptions } from './link.ts'
import { Network } from './network.ts'
import type { Packet } from './packet.ts'
import { Place } from './places.ts'
import { parsePrefix } from './prefix.ts'
import { RealTime } from './real-time.ts'
import type { PacketFate, TranscriptReader } from './transcript.ts'
import { type Interceptor, World } from './world.ts'
import type { DnsRecords } from './zones.ts'

export interface InternetOptions {
  /** The same seed gives the same run, to the byte and the millisecond. */
  readonly seed: number
  /** Lines to the internet, unless they have their own: 10 ms each way, and nothing else. */
  readonly link?: LinkOptions
  /** What hosts have addresses of; IPv4 unless given. */
  readonly families?: readonly Family[]
  /** Routers that every packet passes on the internet itself. */
  readonly hops?: number
  /** What hosts take for the time of day when the internet starts, in seconds since 1970. */
  readonly epochSeconds?: number
  /** How long the DNS takes for names that have no delay of their own. */
  readonly dnsDelayMs?: number
}

export interface RunOptions {
  /** How long to run; unless given, until nothing is left to happen. */
  readonly for?: number
  /** Stops as soon as this holds. */
  readonly until?: () => boolean
}

/** Limit: a run without an end is a program that never rests, and not a longer test. */
const mostEvents = 50_000_000

/** Addresses that are nobody's in documentation are refused as peers by TURN servers: these look like any others. */
const publicPrefixes: Readonly<Record<Family, string>> = { IPv4: '20.0.0.0/12', IPv6: '2600::/64' }

export class Internet extends Place {
  constructor(options: InternetOptions) {
    const world = new World(options.seed, options.epochSeconds ?? 1_800_000_000)
    if (options.dnsDelayMs !== undefined) world.zones.defaultDelayMs = options.dnsDelayMs
    const prefixes = (options.families ?? ['IPv4']).map((family) => parsePrefix(publicPrefixes[family]))
    super(world, new Network(world, 'internet', prefixes, options.hops ?? 4), {
      delayMs: 10,
      ...options.link,
    })
  }

  /** Milliseconds since the internet started. */
  get now(): number {
    return this.world.now
  }

  /** All that has happened to packets so far, as 16 hexadecimal digits. */
  get transcriptHash(): string {
    return this.world.transcript.hash
  }

  /** How many events have happened: a measure of how busy everybody was. */
  get events(): number {
    return this.world.queue.fired
  }

  /** How often a packet met that fate. */
  count(fate: PacketFate): number {
    return this.world.transcript.count(fate)
  }

  /** Hears of everything that happens to packets. Any number may. */
  watch(reader: TranscriptReader): void {
    this.world.transcript.readers.push(reader)
  }

  /** Asks for every packet that a host sends whether it shall go on. */
  intercept(interceptor: Interceptor): void {
    this.world.interceptors.push(interceptor)
  }

  /** Puts a packet on the internet, whoever it says to be from: what an attacker off the path can do. */
  spoof(packet: Packet): void {
    this.world.soon(() => this.network.inject(packet))
  }

  /** Calls back at that time, in milliseconds since the start. */
  at(milliseconds: number, callback: () => void): void {
    this.world.schedule(instant(milliseconds), callback)
  }

  /** Sets what a name resolves to: a host's addresses, or records. */
  name(name: string, target: SimHost | DnsRecords): void {
    if (!('interfaces' in target)) {
      this.world.zones.set(name, target)
      return
    }
    const ips = target.interfaces().filter(({ internal }) => !internal)
    const of = (family: Family) =>
      ips.filter(({ address }) => address.family === family).map(({ address }) => address.ip)
    this.world.zones.set(name, { A: of('IPv4'), AAAA: of('IPv6') })
  }

  /** PEM texts of authorities that all hosts trust besides the simulated root. */
  trust(certificate: string): void {
    this.world.authorities.push(certificate)
  }

  /**
   * Lets time pass. Returns whether `until` held, or without it, whether everything has come to rest.
   * Throws when more happens than any test means.
   */
  run(options: RunOptions = {}): boolean {
    const { queue } = this.world
    const end = options.for === undefined ? Number.POSITIVE_INFINITY : queue.now + options.for
    const { until } = options
    if (until?.()) return true
    for (let events = 0; queue.step(instant(end)); events++) {
      if (until?.()) return true
      if (events > mostEvents) throw new RangeError('the internet does not come to rest: run({ for: ms })')
    }
    if (options.for !== undefined) queue.advanceTo(instant(end))
    return until === undefined ? queue.size === 0 : false
  }

  /**
   * Lets time pass until the promise is settled, and promise callbacks run between events: for programs that await.
   * Rejects when nothing is left to happen and it still waits.
   */
  async until<Value>(promise: PromiseLike<Value>): Promise<Value> {
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    promise.then(settle, settle)
    for (;;) {
      await turn()
      if (isSettled) return promise
      if (!this.world.queue.step(instant(Number.POSITIVE_INFINITY))) {
        throw new Error('nothing is left to happen, and the promise still waits')
      }
    }
  }

  /** As `run`, with promise callbacks between events: for programs that await. */
  async runAsync(options: RunOptions = {}): Promise<boolean> {
    const { queue } = this.world
    const end = options.for === undefined ? Number.POSITIVE_INFINITY : queue.now + options.for
    for (;;) {
      await turn()
      if (options.until?.()) return true
      if (queue.step(instant(end))) continue
      if (options.for !== undefined) queue.advanceTo(instant(end))
      return options.until === undefined ? queue.size === 0 : false
    }
  }

  /** Runs along with the real clock, for programs that have timers of their own. The returned function stops it. */
  runInRealTime(): () => void {
    const realTime = new RealTime(this.world)
    return () => realTime.stop()
  }
}

/** Lets all promise callbacks run that are due. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Two ICE transports on a simulated internet, a turnpike server for both, and a signaling channel between them. */

import type { CandidateDescription } from '../../src/ice/candidate.ts'
import type { IceState, PairSummary } from '../../src/ice/outputs.ts'
import type { IceRole } from '../../src/ice/role.ts'
import type { IceServer, IceTransportOptions } from '../../src/net/ice/options.ts'
import { type IceTransport, type IceTransportEvent, openIce } from '../../src/net/ice/transport.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet, type InternetOptions } from '../../src/sim/internet.ts'

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const user = { name: 'alice', password: 'wonder' }

export interface SideOptions extends Partial<IceTransportOptions> {
  /** TURN besides STUN. */
  readonly relay?: boolean
}

/** How what one side says comes to the other. */
export interface Signaling {
  /** All candidates at once, when both have gathered; each as it comes; or with a delay besides. */
  readonly trickle: boolean
  readonly delayMs?: number
}

export class IceWorld {
  readonly internet: Internet
  readonly serverHost: SimHost
  server: RunningServer | undefined

  constructor(options: Partial<InternetOptions> = {}) {
    this.internet = new Internet({ seed: 1, ...options })
    this.serverHost = this.internet.host({ hostName: 'server' })
    this.internet.name('turn.example', this.serverHost)
  }

  async startServer(config: Partial<ServeConfig> = {}): Promise<void> {
    this.server = await this.internet.until(
      startServer({ ...defaultConfig, users: [user], ...config }, this.serverHost, silent),
    )
  }

  /** URLs by address: names take the DNS its time. */
  servers(relay: boolean, host: SimHost): IceServer[] {
    const wantsName = host
      .interfaces()
      .every(({ internal, address }) => internal || address.family === 'IPv6')
    const name = wantsName ? 'turn.example' : this.serverHost.address().ip
    const stun = { urls: `stun:${name}` }
    const turn = { urls: `turn:${name}?transport=udp`, username: user.name, credential: user.password }
    return relay ? [stun, turn] : [stun]
  }

  /** Allocations that the server has now. */
  get allocations(): number {
    return this.server?.counters.allocations ?? 0
  }

  side(role: IceRole, host: SimHost, { relay = false, ...options }: SideOptions = {}): IceSide {
    return new IceSide(this, host, {
      role,
      servers: this.servers(relay, host),
      ...options,
    })
  }
}

export interface Told {
  readonly at: number
  readonly event: IceTransportEvent
}

export class IceSide {
  readonly world: IceWorld
  readonly host: SimHost
  readonly transport: IceTransport
  readonly told: Told[] = []
  readonly received: { readonly at: number; readonly text: string }[] = []
  /** Hears of each event as it happens. */
  onEvent: (event: IceTransportEvent) => void = () => {}

  constructor(world: IceWorld, host: SimHost, options: IceTransportOptions) {
    this.world = world
    this.host = host
    this.transport = openIce(host, options, {
      onEvent: (event) => {
        this.told.push({ at: world.internet.now, event })
        this.onEvent(event)
      },
      onData: (bytes) =>
        this.received.push({ at: world.internet.now, text: new TextDecoder().decode(bytes) }),
    })
  }

  get state(): IceState {
    return this.transport.state
  }

  /** The events of one type, with their times. */
  all<Type extends IceTransportEvent['type']>(
    type: Type,
  ): { readonly at: number; readonly event: Extract<IceTransportEvent, { type: Type }> }[] {
    return this.told.filter((told) => told.event.type === type) as never
  }

  get candidates(): CandidateDescription[] {
    return this.all('local-candidate').map(({ event }) => event.candidate)
  }

  /** The nominated pair; undefined until there is one. */
  get selected(): PairSummary | undefined {
    return this.all('selected-pair').at(-1)?.event.pair
  }

  /** When data could first be sent; undefined: never. */
  get firstPathAt(): number | undefined {
    return this.all('path').find(({ event }) => event.path !== undefined)?.at
  }

  get selectedAt(): number | undefined {
    return this.all('selected-pair')[0]?.at
  }

  send(text: string): boolean {
    return this.transport.send(new TextEncoder().encode(text))
  }

  /** `S/P`: the types of the selected pair's candidates, ours first. */
  get winner(): string {
    const pair = this.selected
    return pair === undefined ? 'none' : `${letters[pair.local.type]}${letters[pair.remote.type]}`
  }
}

const letters = { host: 'H', srflx: 'S', prflx: 'P', relay: 'R' } as const

/** Gathers on both sides to the end, and then tells each all of the other at once. Returns when that was. */
export function connectGathered(a: IceSide, b: IceSide, onStart: () => void = () => {}): number {
  const { internet } = a.world
  for (const side of [a, b]) side.transport.gather()
  const isGathered = () =>
    [a, b].every((side) => side.all('gathering').some(({ event }) => event.state === 'complete'))
  if (!internet.run({ until: isGathered, for: 60_000 })) throw new Error('gathering does not end')
  const start = internet.now
  onStart()
  exchange(a, b)
  return start
}

/** Tells each side all that the other has said so far. */
export function exchange(a: IceSide, b: IceSide): void {
  const said = [a, b].map((side) => ({
    description: side.transport.localDescription,
    lines: side.candidates,
  }))
  for (const [i, side] of [a, b].entries()) {
    const other = said[1 - i]!
    side.transport.connect(other.description)
    for (const candidate of other.lines) side.transport.addRemoteCandidate(candidate)
    side.transport.endOfRemoteCandidates()
  }
}

/** Tells each side what the other says when it says it, `delayMs` later (RFC 8838). */
export function connectTrickling(a: IceSide, b: IceSide, delayMs = 0): void {
  const { internet } = a.world
  const later = (action: () => void) => internet.at(internet.now + delayMs, action)
  const link = (from: IceSide, to: IceSide) => {
    const description = from.transport.localDescription
    later(() => to.transport.connect(description))
    from.onEvent = (event) => {
      if (event.type === 'local-candidate') {
        const candidate = { ...event.candidate, ufrag: event.ufrag }
        later(() => to.transport.addRemoteCandidate(candidate, event.stream))
      } else if (event.type === 'end-of-candidates') later(() => to.transport.endOfRemoteCandidates())
    }
  }
  link(a, b)
  link(b, a)
  for (const side of [a, b]) side.transport.gather()
}

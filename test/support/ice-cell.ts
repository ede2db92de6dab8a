/**
 * One cell of the connectivity matrix: two agents, each behind something, from gathering to the end of the session. What
 * the packets show is looked at as well as what the agents say.
 */

import type { Dependency } from '../../src/sim/filter.ts'
import type { SimHost } from '../../src/sim/host.ts'
import type { Internet, InternetOptions } from '../../src/sim/internet.ts'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { WireRecord } from './ice-record.ts'
import type { Session } from './ice-session.ts'
import { connectGathered, type IceSide, IceWorld, type SideOptions } from './ice-world.ts'

/** E, A and P: endpoint-independent, address-dependent, address-and-port-dependent (mapping, then filtering). */
export const kinds = ['OPEN', 'FW', 'EE', 'EA', 'EP', 'AE', 'AA', 'AP', 'PE', 'PA', 'PP'] as const
export type Kind = (typeof kinds)[number]

const dependencies: Readonly<Record<string, Dependency>> = {
  E: 'endpoint-independent',
  A: 'address-dependent',
  P: 'address-and-port-dependent',
}

export function behaviourOf(kind: Kind): { mapping: Dependency; filtering: Dependency } {
  return { mapping: dependencies[kind[0]!]!, filtering: dependencies[kind[1]!]! }
}

/** A host behind something of that kind. NATs do not preserve ports, so that nothing works by luck. */
export function hostBehind(internet: Internet, kind: Kind, options: NatPlaceOptions = {}): SimHost {
  if (kind === 'OPEN') return internet.host()
  if (kind === 'FW') return internet.firewall().host()
  return internet.nat({ ...behaviourOf(kind), ports: 'random', ...options }).host()
}

export interface CellOptions {
  readonly a: (internet: Internet) => SimHost
  readonly b: (internet: Internet) => SimHost
  readonly internet?: Partial<InternetOptions>
  readonly side?: SideOptions
  /** Called when both have gathered, before they are told of each other. */
  readonly onStart?: () => void
  /** How long they have to connect. */
  readonly forMs?: number
}

export class Cell implements Session {
  readonly world: IceWorld
  readonly a: IceSide
  readonly b: IceSide
  readonly wire: WireRecord
  readonly options: CellOptions
  /** When both had gathered, and were told of each other. */
  start = 0
  /** All that had happened until then, and while they connected. */
  transcriptHash = ''

  private constructor(world: IceWorld, options: CellOptions) {
    this.world = world
    this.options = options
    this.a = world.side('controlling', options.a(world.internet), options.side)
    this.b = world.side('controlled', options.b(world.internet), options.side)
    this.wire = new WireRecord(world.internet)
  }

  static async run(options: CellOptions): Promise<Cell> {
    const world = new IceWorld(options.internet)
    await world.startServer()
    const cell = new Cell(world, options)
    cell.start = connectGathered(cell.a, cell.b, options.onStart)
    world.internet.run({ for: options.forMs ?? 3000 })
    cell.transcriptHash = world.internet.transcriptHash
    return cell
  }

  again(): Promise<Cell> {
    return Cell.run(this.options)
  }

  get isLossy(): boolean {
    const { loss = 0 } = this.options.internet?.link ?? {}
    return loss !== 0
  }

  get sides(): readonly [IceSide, IceSide] {
    return [this.a, this.b]
  }

  /** `SP`: the winner as the controlling side sees it; `none`. */
  get winner(): string {
    return this.a.winner
  }

  /** Round trips, as the lines are, from the start until: one side may send, both may, both have a nominated pair. */
  times(roundTripMs: number): { first: number; both: number; nominated: number } {
    const [x, y] = this.sides
    const since = (at: number | undefined) => ((at ?? Number.POSITIVE_INFINITY) - this.start) / roundTripMs
    return {
      first: Math.min(since(x.firstPathAt), since(y.firstPathAt)),
      both: Math.max(since(x.firstPathAt), since(y.firstPathAt)),
      nominated: Math.max(since(x.selectedAt), since(y.selectedAt)),
    }
  }
}

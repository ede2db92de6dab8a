/** What is measured, and what is asked of it. */

export interface Load {
  readonly flows: number
  readonly payload: number
  readonly direction: 'up' | 'down' | 'both'
  /** Packets that a flow sends in a row: 1 interleaves all flows. */
  readonly burst: number
  readonly seconds: number
  /** Packets a second; 0: as many as come back. */
  readonly rate: number
  readonly window?: number
  /** Ends earlier, when so many packets have arrived. */
  readonly packets?: number
  /** So many others have set up before, and gone. */
  readonly firstSetUps?: number
  /** From clients to the peer without a server. */
  readonly isDirect?: boolean
  /** The server is no TURN server, but `bare.ts`. */
  readonly isBare?: boolean
}

export interface Scenario {
  readonly name: string
  readonly load: Load
  /** The ratio to coturn's packets per CPU second that is asked of the mmsg driver; undefined: something else is. */
  readonly atLeast?: number
}

const seconds = 1
const loud = { flows: 8, burst: 32, seconds, rate: 0 } as const
const quiet = { flows: 200, burst: 1, seconds, rate: 0, payload: 172 } as const

export const throughput: readonly Scenario[] = [
  { name: '8 loud flows, up', load: { ...loud, payload: 172, direction: 'up' }, atLeast: 2 },
  { name: '8 loud flows, down', load: { ...loud, payload: 172, direction: 'down' }, atLeast: 2 },
  { name: '8 loud flows, 1,200 bytes, up', load: { ...loud, payload: 1200, direction: 'up' }, atLeast: 2 },
  {
    name: '8 loud flows, 1,200 bytes, down',
    load: { ...loud, payload: 1200, direction: 'down' },
    atLeast: 2,
  },
  { name: '200 quiet flows, up', load: { ...quiet, direction: 'up' }, atLeast: 1.25 },
  { name: '200 quiet flows, down', load: { ...quiet, direction: 'down' }, atLeast: 1.25 },
  { name: '200 quiet flows, both ways', load: { ...quiet, direction: 'both' }, atLeast: 1.25 },
]

export const manyAllocations: Scenario = {
  name: '5,000 allocations, 40,000 packets/s',
  load: {
    flows: 5000,
    payload: 172,
    direction: 'both',
    burst: 1,
    seconds: 1.5,
    rate: 40_000,
    firstSetUps: 2000,
  },
  atLeast: 1.3,
}

export const latency: Scenario = {
  name: 'latency at 10,000 packets/s',
  load: { flows: 50, payload: 172, direction: 'both', burst: 1, seconds: 1.5, rate: 10_000 },
}

/**
 * Each worker with the same load, by itself and beside another one: 500 flows are enough that the kernel's hash gives each of two
 * its half. `full`: as many packets as come back, with as many under way for each worker, which keeps the one core that there
 * is for both busy all the time.
 */
export const loadsOfWorkers: readonly {
  readonly name: string
  readonly loadOf: (workers: number) => Load
}[] = [
  {
    name: '40,000 packets/s',
    loadOf: (workers) => ({ ...workersLoad, flows: 250 * workers, rate: 40_000 * workers }),
  },
  {
    name: 'full',
    loadOf: (workers) => ({ ...workersLoad, flows: 250 * workers, rate: 0, window: 1024 * workers }),
  },
]

const workersLoad = { payload: 172, direction: 'both', burst: 1, seconds: 1.5 } as const

export const garbage: Load = {
  flows: 200,
  payload: 172,
  direction: 'both',
  burst: 1,
  seconds: 90,
  packets: 10_000_000,
  rate: 0,
}

/** For the plot: packets per CPU second against the number of flows, upwards, one packet of each in turn. */
export const plotFlows: readonly number[] = [1, 8, 50, 200, 1000]

export function plotLoad(flows: number): Load {
  return { flows, payload: 172, direction: 'up', burst: 1, seconds, rate: 0 }
}

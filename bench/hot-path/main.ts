/**
 * What one packet costs the engine, by how many allocations there are: `npm run bench -- hot-path`. With ten of them busy, the
 * figure is the algorithm's; with all of them in turn, the processor's memory is in it as well.
 */

import { BenchedEngine, type ClientPackets } from '../support/engine.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { type Case, type Figure, measure } from '../support/suite.ts'

const sizes = [10, 1000, 100_000] as const
const busy = 10
/** Of each case. */
const seconds = 1
/** Odd, and far enough that no two packets in a row find each other's cache lines. */
const stride = 7919

/** What keeps the optimizer from dropping the work: every case adds to it. */
let sink = 0

const operations: readonly {
  readonly name: string
  readonly run: (engine: BenchedEngine, packets: ClientPackets) => void
}[] = [
  {
    name: 'route look-up: the allocation of a five-tuple',
    run: (engine, { client }) => {
      if (!engine.has(client)) throw new Error('the allocation is not there')
      sink++
    },
  },
  {
    name: 'ChannelData in: from client to route',
    run: (engine, { channelData }) => {
      sink += engine.handle(channelData)!.end
    },
  },
  {
    name: 'ChannelData out: from peer to route',
    run: (engine, { fromPeer }) => {
      sink += engine.handle(fromPeer)!.headerLength
    },
  },
  {
    name: 'permission check: a stranger’s packet, dropped',
    run: (engine, { fromStranger }) => {
      if (engine.handle(fromStranger) !== undefined) throw new Error('a stranger was let in')
      sink++
    },
  },
]

function casesOf(engine: BenchedEngine, count: number): Case[] {
  const { clients } = engine
  return operations.map(({ name, run }) => {
    let cursor = 0
    return {
      name: `${clients.length} allocations, ${count} busy: ${name}`,
      run: () => {
        cursor = (cursor + stride) % count
        run(engine, clients[cursor]!)
      },
    }
  })
}

const engines = sizes.map((size) => new BenchedEngine(size))
// What a case meets first would be compiled for it alone: all sizes are met before any is measured.
for (const engine of engines)
  for (const { run } of casesOf(engine, busy)) for (let i = 0; i < 20_000; i++) run()

const few: Figure[][] = []
const all: Figure[][] = []
for (const engine of engines) {
  few.push(await measure(casesOf(engine, busy), seconds))
  all.push(await measure(casesOf(engine, engine.clients.length), seconds))
}
if (!(sink > 0)) throw new Error('nothing was measured')
writeSection('Hot path', report())

function report(): string {
  const header = ['nanoseconds a packet', ...sizes.map((size) => `${size.toLocaleString('en')} allocations`)]
  return [
    `Ten allocations busy, of as many as there are: flat.`,
    '',
    table(header, rowsOf(few)),
    '',
    'All allocations in turn, the worst order for the caches of the processor:',
    '',
    table(header, rowsOf(all)),
    '',
    `Payloads of 172 bytes, in one thread; ± half of the 95 % confidence interval. ${machine()}. \`npm run bench -- hot-path\`.`,
  ].join('\n')
}

function rowsOf(figures: readonly (readonly Figure[])[]): string[][] {
  return operations.map(({ name }, i) => [
    name,
    ...figures.map((list) => {
      const { nanoseconds, marginPercent } = list[i]!
      return `${nanoseconds.toFixed(0)} ±${marginPercent.toFixed(1)} %`
    }),
  ])
}

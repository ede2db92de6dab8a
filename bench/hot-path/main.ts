/**
 * What one packet costs the engine, by how many allocations there are: `npm run bench -- hot-path`. With ten of them busy, the
 * figure is the algorithm's; with all of them in turn, the processor's memory is in it as well. `--quick`: a moment of
 * each, of the small ones only, and nothing is written.
 */

import { BenchedEngine } from '../support/engine.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { type Case, type Figure, measure } from '../support/suite.ts'
import { Arrivals, type PacketKind } from './arrivals.ts'

const isQuick = process.argv.includes('--quick')
const sizes: readonly number[] = isQuick ? [10, 100] : [10, 1000, 100_000]
const busy = 10
/** Objects that a packet of a channel goes through, one after the other. */
const hops = 10
/** Of each case. */
const seconds = isQuick ? 0.02 : 1
/** Odd, and far enough that no two packets in a row find each other's cache lines. */
const stride = 7919

/** What keeps the optimizer from dropping the work: every case adds to it. */
let sink = 0

interface Bench {
  readonly engine: BenchedEngine
  readonly channelData: Arrivals
  readonly fromPeers: Arrivals
  readonly fromStrangers: Arrivals
  readonly chains: readonly Link[]
}

const operations: readonly {
  readonly name: string
  readonly run: (bench: Bench, client: number) => void
}[] = [
  {
    name: 'route look-up: the allocation of a five-tuple',
    run: ({ engine, channelData }, client) => {
      if (!engine.has(channelData.of(client).source)) throw new Error('the allocation is not there')
      sink++
    },
  },
  {
    name: 'ChannelData in: from client to route',
    run: ({ engine, channelData }, client) => {
      sink += engine.handle(channelData.of(client))!.end
    },
  },
  {
    name: 'ChannelData out: from peer to route',
    run: ({ engine, fromPeers }, client) => {
      sink += engine.handle(fromPeers.of(client))!.headerLength
    },
  },
  {
    name: 'permission check: a stranger’s packet, dropped',
    run: ({ engine, fromStrangers }, client) => {
      if (engine.handle(fromStrangers.of(client)) !== undefined) throw new Error('a stranger was let in')
      sink++
    },
  },
  {
    name: `for scale: ${hops} objects, each found in the one before`,
    run: ({ chains }, client) => {
      let link: Link | undefined = chains[client]
      for (; link?.next !== undefined; link = link.next) sink += link.value
      sink++
    },
  },
]

function casesOf(bench: Bench, count: number): Case[] {
  const { clients } = bench.engine
  return operations.map(({ name, run }) => {
    let cursor = 0
    return {
      name: `${clients.length} allocations, ${count} busy: ${name}`,
      run: () => {
        cursor = (cursor + stride) % count
        run(bench, cursor)
      },
    }
  })
}

const benches = sizes.map((size): Bench => {
  const engine = new BenchedEngine(size)
  const arrivals = (packet: PacketKind) => new Arrivals(engine.clients, packet)
  return {
    engine,
    channelData: arrivals('channelData'),
    fromPeers: arrivals('fromPeer'),
    fromStrangers: arrivals('fromStranger'),
    chains: chainsOf(size),
  }
})
// What a case meets first would be compiled for it alone: all sizes are met before any is measured.
for (const bench of benches)
  for (const { run } of casesOf(bench, busy)) for (let i = 0; i < 20_000; i++) run()

const few: Figure[][] = []
const all: Figure[][] = []
for (const bench of benches) {
  few.push(await measure(casesOf(bench, busy), seconds))
  all.push(await measure(casesOf(bench, bench.engine.clients.length), seconds))
}
if (!(sink > 0)) throw new Error('nothing was measured')
if (!isQuick) writeSection('Hot path', report())

function report(): string {
  const header = ['nanoseconds a packet', ...sizes.map((size) => `${size.toLocaleString('en')} allocations`)]
  return [
    `Ten allocations busy, of as many as there are: flat.`,
    '',
    table(header, rowsOf(few)),
    '',
    'All allocations in turn, the worst order there is: each packet finds nothing of its allocation in the caches of the processor.',
    `The last row says what that costs by itself: ${hops} small objects of the client, each of which has to be there before the next`,
    'one can be looked for. An allocation is so many objects and a few more: socket and source, allocation, channels, channel,',
    'permission, relayed address, peer, and their deadlines.',
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

interface Link {
  readonly value: number
  readonly next: Link | undefined
}

/** For each client a chain of objects that were made at different times, as those of an allocation are. */
function chainsOf(clients: number): readonly Link[] {
  let chains: (Link | undefined)[] = new Array(clients).fill(undefined)
  for (let hop = 0; hop <= hops; hop++) chains = chains.map((next) => ({ value: hop, next }))
  return chains as Link[]
}

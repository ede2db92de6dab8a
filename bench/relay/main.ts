/**
 * turnpike on both drivers beside coturn and npm turn-server, in one run: `npm run bench -- relay`. One core for the server,
 * the other one for the load. Writes its section of bench/RESULTS.md, and bench/relay.svg. `--rounds N` (5); `--only TEXT`:
 * parts that have it in their name; `--quick`: one short round, no plot. With the last two nothing is written.
 */

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Goal, goalTable } from '../support/goals.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { compare, type Samples } from './compare.ts'
import { bare, contenders, coturn, startTurnpike } from './contenders.ts'
import { countCollections } from './garbage.ts'
import { allocationGoals, latencyGoals, medianOf, ratioGoal, throughputGoals } from './goals.ts'
import { measureDirect, median, type Sample, spread } from './measure.ts'
import { plot } from './plot.ts'
import {
  garbage,
  type Load,
  latency,
  loadsOfWorkers,
  manyAllocations,
  plotFlows,
  plotLoad,
  throughput,
} from './scenarios.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
  },
})
const isQuick = values.quick
const wantedRounds = isQuick ? 1 : Number(values.rounds)
let rounds = wantedRounds
const startedAt = performance.now()
/** On a machine that others use too, it had better end with fewer rounds than not at all. */
const longestMinutes = 17
const fewestRounds = Math.min(3, wantedRounds)

interface Part {
  readonly name: string
  readonly run: () => Promise<{ readonly text: string; readonly goals: readonly Goal[] }>
}

const parts: readonly Part[] = [
  ...throughput.map(({ name, load, atLeast = 1 }) => ({
    name,
    run: async () => {
      const samples = await compare([...contenders, bare], paced(load), rounds)
      return { text: throughputTable(samples), goals: throughputGoals(name, samples, atLeast) }
    },
  })),
  { name: manyAllocations.name, run: runManyAllocations },
  { name: latency.name, run: runLatency },
  { name: 'two workers', run: runTwoWorkers },
  { name: 'garbage collections over 10 million packets', run: runGarbage },
  ...(isQuick ? [] : [{ name: 'plot', run: runPlot }]),
]

const sections: string[] = []
const goals: Goal[] = []
let leastRounds = wantedRounds
const chosen = parts.filter((part) => part.name.includes(values.only))
for (const [i, { name, run }] of chosen.entries()) {
  if (i > 0 && (minutesSoFar() / i) * chosen.length > longestMinutes) rounds = fewestRounds
  else rounds = wantedRounds
  leastRounds = Math.min(leastRounds, rounds)
  const part = await run()
  sections.push(`### ${name}\n\n${part.text}`)
  goals.push(...part.goals)
  const judged = part.goals.length === 0 ? '' : `\n${goalTable(part.goals)}\n`
  process.stderr.write(`\n${sections.at(-1)}\n${judged}(${minutesSoFar().toFixed(1)} minutes)\n`)
}
if (values.only === '' && !isQuick) {
  writeSection('Relay', [introduction(), goalTable(goals), ...sections].join('\n\n'))
}

function minutesSoFar(): number {
  return (performance.now() - startedAt) / 60_000
}

async function runManyAllocations() {
  const { name, load, atLeast = 1 } = manyAllocations
  const samples = await compare(contenders, paced(load), rounds)
  const rows = rowsOf(samples, (figure) => [
    whole(figure('packetsPerCpuSecond')),
    share(figure('delivered')),
    `${Math.round(figure('p50'))} / ${Math.round(figure('p99'))}`,
    whole(figure('firstSetUpsPerSecond')),
    whole(figure('setUpsPerSecond')),
    (figure('bytesPerAllocation') / 1024).toFixed(1),
  ])
  const header = [
    ...['server', 'packets/CPU s', 'delivered', 'delay p50/p99 µs'],
    ...['first set-ups/s', 'set-ups/s', 'KB/allocation'],
  ]
  const sentence = `A set-up is Allocate and ChannelBind, 32 at a time. ${whole(load.firstSetUps!)} other clients come first, to a server that has just started, and go again.`
  return {
    text: `${sentence}\n\n${table(header, rows)}`,
    goals: [...allocationGoals(samples), ...throughputGoals(name, samples, atLeast)],
  }
}

/** What the generator's sockets take by themselves is no server's fault. */
async function runLatency() {
  const load = paced(latency.load)
  const samples = await compare(contenders, load, rounds)
  const direct = [await measureDirect(load), await measureDirect(load), await measureDirect(load)]
  const own = { p50: median(direct.map(({ p50 }) => p50)), p99: median(direct.map(({ p99 }) => p99)) }
  const added: Samples = new Map(
    [...samples].map(([name, list]) => [
      name,
      list.map((sample) => ({ ...sample, p50: sample.p50 - own.p50, p99: sample.p99 - own.p99 })),
    ]),
  )
  const rows = rowsOf(added, (figure, list) => [
    whole(figure('p50')),
    `±${halfSpread(list, 'p50')}`,
    whole(figure('p99')),
    `±${halfSpread(list, 'p99')}`,
    whole(figure('packetsPerCpuSecond')),
  ])
  const header = ['server', 'p50 added, µs', 'spread', 'p99 added, µs', 'spread', 'packets/CPU s']
  const sentence = `Without a server the same packets take ${whole(own.p50)} µs (p50) and ${whole(own.p99)} µs (p99) on this machine: that is taken off.`
  return { text: `${sentence}\n\n${table(header, rows)}`, goals: latencyGoals(added) }
}

/** Two workers need two cores and the load a third: here they share one, and each has the same load as the one alone. */
async function runTwoWorkers() {
  const rows: string[][] = []
  const judged: Goal[] = []
  let busier = 0
  for (const { name, loadOf } of loadsOfWorkers) {
    const turns = [1, 2].map((workers) => ({
      name: workers === 1 ? 'one worker' : 'two workers',
      load: loadOf(workers),
      start: () => startTurnpike('mmsg', workers),
    }))
    const samples = await compare(turns, paced(loadOf(1)), rounds)
    const ratio = ratioGoal(
      `500 flows: two workers at ${name} each, packets per CPU second`,
      samples,
      'packetsPerCpuSecond',
      ['two workers', 'one worker'],
      0.9,
    )
    if (name !== 'full') judged.push(ratio)
    busier = Math.max(busier, medianOf(samples, 'two workers', 'busierShare'))
    const found = rowsOf(samples, (figure, list) => [
      whole(figure('packetsPerCpuSecond')),
      `±${halfSpread(list, 'packetsPerCpuSecond')}`,
      whole(figure('packetsPerSecond')),
    ])
    rows.push(...found.map(([who, ...figures]) => [`${who}, ${name}`, ...figures]))
  }
  const sentence = `250 flows both ways for each worker, with so many packets a second for each, or as many as come back ("full": 1,024 under way for each worker, and the core is never idle). All on one core, whose caches and time the two have to share; the busier one of the two uses at most ${share(busier)} of their processor time.`
  return {
    text: `${sentence}\n\n${table(['each worker with', 'packets/CPU s', 'spread', 'packets/s'], rows)}`,
    goals: judged,
  }
}

async function runGarbage() {
  const load = isQuick ? { ...garbage, packets: 500_000 } : garbage
  const { packets, relayThread, otherThreads } = await countCollections(load)
  const rows = [
    ['relay thread', ...Object.values(relayThread).map(String)],
    ['the other threads', ...Object.values(otherThreads).map(String)],
  ]
  return {
    text: `Of ${packets.toLocaleString('en')} packets through 200 flows, both ways; by \`--trace-gc\`.\n\n${table(['thread', 'scavenges', 'full collections', 'milliseconds'], rows)}`,
    goals: [],
  }
}

async function runPlot() {
  const points = new Map<string, { x: number; y: number }[]>()
  for (const flows of plotFlows) {
    for (const [name, samples] of await compare(contenders, plotLoad(flows), Math.min(rounds, 2))) {
      const y = median(samples.map(({ packetsPerCpuSecond }) => packetsPerCpuSecond))
      points.set(name, [...(points.get(name) ?? []), { x: flows, y }])
    }
  }
  const lines = contenders.map(({ name, color }) => ({ name, color, points: points.get(name) ?? [] }))
  const drawn = lines.filter((line) => line.points.length > 0)
  const picture = plot(
    'Packets relayed per CPU second',
    'flows, interleaved',
    'packets per CPU second',
    drawn,
  )
  if (values.only === '') writeFileSync(fileURLToPath(new URL('../relay.svg', import.meta.url)), picture)
  const rows = drawn.map((line) => [line.name, ...line.points.map(({ y }) => whole(y))])
  const header = [
    'packets per CPU second',
    ...plotFlows.map((flows) => `${flows.toLocaleString('en')} flows`),
  ]
  const text = `![packets per CPU second against flows](relay.svg)\n\nUpwards, one packet of each flow in turn; medians of two rounds.\n\n${table(header, rows)}`
  return { text, goals: [] }
}

function throughputTable(samples: Samples): string {
  const reference = medianOf(samples, coturn, 'packetsPerCpuSecond')
  const rows = rowsOf(samples, (figure, list) => [
    whole(figure('packetsPerCpuSecond')),
    `±${halfSpread(list, 'packetsPerCpuSecond')}`,
    (figure('packetsPerCpuSecond') / reference).toFixed(2),
    share(figure('delivered')),
    whole(figure('packetsPerSecond')),
    `${whole(figure('p50'))} / ${whole(figure('p99'))}`,
  ])
  const header = [
    'server',
    'packets/CPU s',
    'spread',
    '× coturn',
    'delivered',
    'packets/s',
    'delay p50/p99 µs',
  ]
  return table(header, rows)
}

type Figures = (figure: (key: keyof Sample) => number, list: readonly Sample[]) => string[]

function rowsOf(samples: Samples, figures: Figures): string[][] {
  return [...samples].map(([name, list]) => [
    name,
    ...figures((key) => median(list.map((sample) => sample[key])), list),
  ])
}

/** Half of the distance between the quartiles, in per cent of the median. */
function halfSpread(list: readonly Sample[], key: keyof Sample): string {
  return `${(spread(list.map((sample) => sample[key])) * 50).toFixed(0)} %`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`
}

function paced(load: Load): Load {
  return isQuick ? { ...load, seconds: 0.5 } : load
}

function introduction(): string {
  const names = contenders.map(({ name }) => name).join(', ')
  return [
    `${names}: in one run, one core for the server and the other for the load, on loopback; long-term credentials, channels,`,
    '172-byte payloads unless said otherwise. The load is one process with a socket for all clients, which differ by their',
    'loopback address, and one for all peers; every packet leaves by itself (no segmentation offload), and 1,024 are under way',
    'at most where there is no rate. Packets are counted where they arrive; processor time is user and system of all threads',
    `of the server (/proc/PID/task). Every sample is of a server just started; servers take turns; medians of ${leastRounds === wantedRounds ? rounds : `${leastRounds} to ${wantedRounds}`} rounds after`,
    `one that is not counted, spread: half of the distance between the quartiles. ${machine()}.`,
    '`npm run bench`, which takes a quarter of an hour.',
  ].join('\n')
}

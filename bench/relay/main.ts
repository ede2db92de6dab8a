/**
 * turnpike on both drivers beside coturn and npm turn-server, in one run: `npm run bench`. One core for the server, the
 * other one for the load; the servers take turns, round by round, and the first round is not counted. Writes its section
 * of bench/RESULTS.md and bench/relay.svg. `--rounds N` (5); `--only TEXT`: scenarios that have it in their name, and
 * nothing is written; `--no-plot`.
 */

import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine, table, writeSection } from '../support/results.ts'
import { type PinnedServer, startCoturn, startRival, startTurnpikeServer } from '../support/servers.ts'
import { measure, median, type Sample, spread } from './measure.ts'
import { plot } from './plot.ts'
import { type Load, plotFlows, plotLoad, type Scenario, scenarios } from './scenarios.ts'

interface Contender {
  readonly name: string
  readonly color: string
  readonly start: () => Promise<PinnedServer>
}

const core = 0
const contenders: readonly Contender[] = [
  {
    name: 'turnpike, mmsg',
    color: '#2563eb',
    start: () => startTurnpikeServer(core, ['--io', 'mmsg', '--workers', '1']),
  },
  { name: 'coturn', color: '#b91c1c', start: () => startCoturn(core) },
  {
    name: 'turnpike, dgram',
    color: '#0891b2',
    start: () => startTurnpikeServer(core, ['--io', 'dgram', '--workers', '1']),
  },
  { name: 'npm turn-server', color: '#a16207', start: () => startRival(core) },
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    plot: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const rounds = Number(values.rounds)
const chosen = scenarios.filter(({ name }) => name.includes(values.only))

const sections: string[] = []
for (const scenario of chosen) sections.push(report(scenario, await compare(scenario.load)))
if (values.only === '') {
  if (values.plot) await drawPlot()
  writeSection(
    'Relay',
    [
      introduction(),
      ...sections,
      ...(values.plot ? ['![packets per CPU second against flows](relay.svg)'] : []),
    ].join('\n\n'),
  )
}

/** Samples by contender; a contender that cannot carry the load is left out, and says why. */
async function compare(load: Load, times = rounds): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>()
  const failed = new Set<string>()
  for (let round = 0; round <= times; round++) {
    for (const { name, start } of contenders) {
      if (failed.has(name)) continue
      try {
        const sample = await measure(start, load)
        if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample])
      } catch (error) {
        failed.add(name)
        process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
      }
    }
  }
  return samples
}

function report({ name, atLeast }: Scenario, samples: ReadonlyMap<string, readonly Sample[]>): string {
  const of = (contender: string, key: keyof Sample) =>
    median((samples.get(contender) ?? []).map((sample) => sample[key]))
  const reference = of('coturn', 'packetsPerCpuSecond')
  const rows = [...samples].map(([contender, list]) => {
    const figure = (key: keyof Sample) => of(contender, key)
    return [
      contender,
      Math.round(figure('packetsPerCpuSecond')).toLocaleString('en'),
      `±${(spread(list.map((sample) => sample.packetsPerCpuSecond)) * 50).toFixed(0)} %`,
      `${(figure('packetsPerCpuSecond') / reference).toFixed(2)}`,
      `${(figure('delivered') * 100).toFixed(1)} %`,
      Math.round(figure('packetsPerSecond')).toLocaleString('en'),
      `${Math.round(figure('p50'))} / ${Math.round(figure('p99'))}`,
      Math.round(figure('setUpsPerSecond')).toLocaleString('en'),
      `${(figure('bytesPerAllocation') / 1024).toFixed(1)}`,
    ]
  })
  const header = [
    ...['server', 'packets/CPU s', 'spread', '× coturn', 'delivered', 'packets/s'],
    ...['delay p50/p99 µs', 'set-ups/s', 'KB/allocation'],
  ]
  const asked = atLeast === undefined ? '' : ` (asked of mmsg: ${atLeast} × coturn)`
  const beside = of('turnpike, dgram', 'packetsPerCpuSecond') / of('npm turn-server', 'packetsPerCpuSecond')
  const sentence = Number.isFinite(beside) ? `\n\nOn dgram: ${beside.toFixed(2)} × npm turn-server.` : ''
  const text = `### ${name}${asked}\n\n${table(header, rows)}${sentence}`
  process.stderr.write(`\n${text}\n`)
  return text
}

async function drawPlot(): Promise<void> {
  const points = new Map<string, { x: number; y: number }[]>()
  for (const flows of plotFlows) {
    for (const [name, samples] of await compare(plotLoad(flows), Math.min(rounds, 2))) {
      const y = median(samples.map(({ packetsPerCpuSecond }) => packetsPerCpuSecond))
      points.set(name, [...(points.get(name) ?? []), { x: flows, y }])
    }
  }
  const lines = contenders.map(({ name, color }) => ({ name, color, points: points.get(name) ?? [] }))
  const drawn = lines.filter((line) => line.points.length > 0)
  const file = fileURLToPath(new URL('../relay.svg', import.meta.url))
  writeFileSync(
    file,
    plot('Packets relayed per CPU second', 'flows, interleaved', 'packets per CPU second', drawn),
  )
}

function introduction(): string {
  return [
    'One core for the server and the other for the load, on loopback; long-term credentials, channels, 172-byte payloads',
    'unless said otherwise. Packets are counted where they arrive; processor time is user and system of all threads of the',
    `server (/proc/PID/stat). The servers take turns; medians of ${rounds} rounds after one that is not counted. ${machine()}.`,
    '`npm run bench`.',
  ].join('\n')
}

/**
 * Video over a line that loses packets: straight over UDP, and through TURN over TCP. Two peer connections on a simulated
 * internet, in step with the real clock because werift has timers of its own. `npm run bench -- media`. Writes its section of
 * bench/RESULTS.md.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { realTimePriority } from '../support/priority.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { framesPerSecond, oneWayMs, packetsPerFrame, percentile } from './stream.ts'

const seconds = Number(process.argv[2] ?? 60)
/** Longer, and one sees the picture stand. */
const stallMs = 200
const goalMs = 100

const paths = [
  { name: 'UDP, no loss', loss: 0, transport: 'udp' },
  { name: 'UDP, 5 % loss', loss: 0.05, transport: 'udp' },
  { name: 'TURN over TCP, no loss', loss: 0, transport: 'tcp' },
  { name: 'TURN over TCP, 5 % loss', loss: 0.05, transport: 'tcp' },
] as const

const measured = paths.map((path) => ({ name: path.name, ...run(path) }))
const ms = (value: number) => `${value.toFixed(0)} ms`
const results = table(
  ['a stream of 30 frames/s', 'sent', 'delivered', 'gap p50', 'p95', 'p99', 'longest', `over ${stallMs} ms`],
  measured.map(({ name, sent, delivered, gaps }) => [
    name,
    `${sent}`,
    `${delivered}`,
    ...[50, 95, 99, 100].map((percent) => ms(percentile(gaps, percent))),
    `${gaps.filter((gap) => gap > stallMs).length}`,
  ]),
)
const priority = realTimePriority.length > 0 ? ' With real-time priority.' : ''
writeSection(
  'Media',
  `${results}

Frames of ${packetsPerFrame} packets, ${((framesPerSecond * packetsPerFrame * 8) / 1000).toFixed(2)} Mbit/s, evenly spaced, for ${seconds} s each; delivered when whole and in order, so that the gap is what
one would see. The sender's line to the internet loses packets at random in both directions; ${oneWayMs} ms each way from every
host. Over UDP lost packets are asked for again by NACK.${priority} ${machine()}. \`npm run bench -- media\`.`,
)
process.stdout.write(`${results}\n`)
const p99 = percentile(measured[1]!.gaps, 99)
if (!(p99 < goalMs)) {
  process.stderr.write(`the gap at p99 is ${ms(p99)} over UDP with 5 % loss: more than ${goalMs} ms\n`)
  process.exitCode = 1
}

function run({ loss, transport }: (typeof paths)[number]): {
  sent: number
  delivered: number
  /** From the shortest to the longest. */
  gaps: number[]
} {
  const script = fileURLToPath(new URL('run.ts', import.meta.url))
  const [command, ...args] = [...realTimePriority, process.execPath, script]
  const { stdout, stderr, status } = spawnSync(command!, [...args, `${seconds}`, `${loss}`, transport], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) throw new Error(`run.ts ended with ${status}:\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

/**
 * ICE on real loopback beside werift's own and node-datachannel's (libjuice), in turns; then ten thousand sessions in
 * simulated time. `npm run bench -- ice`. Writes its section of bench/RESULTS.md.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Goal, goalTable } from '../support/goals.ts'
import { realTimePriority } from '../support/priority.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { median, type Sample } from './sample.ts'

/** Each program connects 20 times in each round, in a process of its own. */
const rounds = 3
const programs = ['turnpike', 'node-datachannel', 'werift'] as const

const samples = new Map<string, Sample[]>(programs.map((name) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const name of programs) samples.get(name)!.push(...(run(`${name}.ts`) as Sample[]))
}
const sessions = run('sessions.ts', '--expose-gc') as {
  sessions: number
  connected: number
  bytesPerAgent: number
  cpuPerSecond: number
  packetsPerSecond: number
  agentsPerCore: number
}

const ms = (values: readonly number[]) => `${median(values).toFixed(2)} ms`
const fastest = (values: readonly number[]) => `${Math.min(...values).toFixed(2)} ms`
const connecting = table(
  ['two agents on loopback', 'data may flow', 'pairs selected', 'fastest', 'samples'],
  programs.map((name) => {
    const taken = samples.get(name)!
    const completed = taken.map((sample) => sample.completed)
    return [
      name,
      ms(taken.map(({ connected }) => connected)),
      ms(completed),
      fastest(completed),
      `${taken.length}`,
    ]
  }),
)
const resting = table(
  ['10,000 sessions, both ends, consent every 5 s', 'value'],
  [
    ['memory of an agent', `${(sessions.bytesPerAgent / 1024).toFixed(1)} KiB`],
    ['packets a second', `${Math.round(sessions.packetsPerSecond)}`],
    ['processor time for each second', `${(sessions.cpuPerSecond * 1000).toFixed(0)} ms`],
    ['agents that one core keeps up', `${sessions.agentsPerCore}`],
  ],
)

const dataMs = (name: string) => median(samples.get(name)!.map(({ connected }) => connected))
const goals: Goal[] = [
  {
    what: 'data may flow, median',
    asked: '≤ 2 ms',
    reached: `${dataMs('turnpike').toFixed(2)} ms`,
    isReached: dataMs('turnpike') <= 2,
  },
  {
    what: 'data may flow, beside werift',
    asked: '≤ 1 ×',
    reached: `${(dataMs('turnpike') / dataMs('werift')).toFixed(2)} ×`,
    isReached: dataMs('turnpike') <= dataMs('werift'),
  },
  {
    what: 'memory of an agent at rest',
    asked: '≤ 16 KiB',
    reached: `${(sessions.bytesPerAgent / 1024).toFixed(1)} KiB`,
    isReached: sessions.bytesPerAgent <= 16 * 1024,
  },
  {
    what: '10,000 sessions at once: ends with a nominated pair',
    asked: '20000',
    reached: `${sessions.connected}`,
    isReached: sessions.connected === 2 * sessions.sessions && sessions.sessions === 10_000,
  },
  {
    what: 'these 10,000 sessions: processor time for each second',
    asked: '≤ 1 core',
    reached: `${sessions.cpuPerSecond.toFixed(2)}`,
    isReached: sessions.cpuPerSecond <= 1,
  },
]

writeSection(
  'ICE',
  `${goalTable(goals)}

${connecting}

${resting}

Medians, from the moment when both sides have everything. For node-datachannel that is when the offerer takes the answer; its
answerer has begun to check by then. Between the check and the nomination that repeats it stand the 5 ms that RFC 8445 §14.2
has between any two transactions of a host; data flows, and DTLS begins, before (§12.1). werift sends data when its first check has succeeded, which nominates as well. Sessions
run in simulated time, with everything a packet costs but the sockets.${realTimePriority.length > 0 ? ' All with real-time priority.' : ''} ${machine()}. \`npm run bench -- ice\`.`,
)
process.stdout.write(`${goalTable(goals)}\n\n${connecting}\n\n${resting}\n`)
if (goals.some(({ isReached }) => !isReached)) process.exitCode = 1

function run(script: string, ...flags: string[]): unknown {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const [command, ...args] = [...realTimePriority, process.execPath, ...flags, path]
  const { stdout, stderr, status } = spawnSync(command!, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${script} ended with ${status}:\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

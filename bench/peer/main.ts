/**
 * The headless peer's connection beside werift alone, in turns: how soon a data channel is open on loopback, and what it
 * carries. `npm run bench -- peer`. Writes its section of bench/RESULTS.md.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median } from '../ice/sample.ts'
import { machine, table, writeSection } from '../support/results.ts'

interface Figures {
  readonly openMs: readonly number[]
  readonly rates: readonly { readonly megabits: number; readonly cpuPerMegabyte: number }[]
}

const rounds = 2
const programs = ['turnpike', 'werift'] as const
/** Before others on a shared machine, where that is allowed. */
const priority = spawnSync('chrt', ['-r', '1', 'true']).status === 0 ? ['chrt', '-r', '1'] : []

const taken = new Map<string, Figures[]>(programs.map((name) => [name, []]))
for (let round = 0; round < rounds; round++) for (const name of programs) taken.get(name)!.push(run(name))

const rows = programs.map((name) => {
  const figures = taken.get(name)!
  const openMs = figures.flatMap((one) => one.openMs)
  const rates = figures.flatMap((one) => one.rates)
  return [
    name,
    `${median(openMs).toFixed(1)} ms`,
    `${Math.max(...openMs).toFixed(1)} ms`,
    `${median(rates.map(({ megabits }) => megabits)).toFixed(0)} Mbit/s`,
    `${median(rates.map(({ cpuPerMegabyte }) => cpuPerMegabyte)).toFixed(0)} ms`,
  ]
})

writeSection(
  'Peer',
  `${table(['two peers on loopback', 'channel open', 'slowest', 'data channel', 'processor a megabyte'], rows)}

The channel: from when both have both descriptions until it is open, median of ${rounds * 25}. Data: messages of 16 KiB, both ends in one
process. All ${priority.length > 0 ? 'with real-time priority' : 'with others at work'}. ${machine()}. \`npm run bench -- peer\`.`,
)
process.stdout.write(`${rows.map((row) => row.join('  ')).join('\n')}\n`)

function run(name: string): Figures {
  const program = fileURLToPath(new URL('program.ts', import.meta.url))
  const [command, ...args] = [...priority, process.execPath, program, name]
  const { status, stdout, stderr } = spawnSync(command!, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} has failed: ${stderr}`)
  return JSON.parse(stdout)
}

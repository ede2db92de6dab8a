/**
 * Where the relay's processor time goes: `npm run bench -- profile`. Linux's `perf` looks at all threads of a server while
 * packets pass; JavaScript has names by Node's `--perf-basic-prof`. Writes its section of bench/RESULTS.md.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTurnpike } from '../relay/contenders.ts'
import { loadServer } from '../relay/measure.ts'
import { type Load, latency, manyAllocations, throughput } from '../relay/scenarios.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { costliest, type Entry, owners, readReport, sharesOf } from './shares.ts'

const seconds = 3
const nodeFlags = ['--perf-basic-prof', '--interpreted-frames-native-stack']

const profiles: readonly { readonly io: 'mmsg' | 'dgram'; readonly name: string }[] = [
  { io: 'mmsg', name: '8 loud flows, up' },
  { io: 'mmsg', name: '200 quiet flows, up' },
  { io: 'mmsg', name: latency.name },
  { io: 'dgram', name: '8 loud flows, up' },
  { io: 'dgram', name: '200 quiet flows, down' },
]

interface Profile {
  readonly title: string
  readonly entries: readonly Entry[]
  readonly microseconds: number
}

if (spawnSync('perf', ['--version']).status !== 0) {
  process.stderr.write('there is no perf: on Debian, apt-get install linux-perf\n')
  process.exit(2)
}
const found: Profile[] = []
for (const { io, name } of profiles) {
  const { load } = [...throughput, manyAllocations, latency].find((scenario) => scenario.name === name)!
  found.push(await profile(`${io}: ${name}`, io, { ...load, seconds }))
  process.stderr.write(`${found.at(-1)!.title}: ${costliest(found.at(-1)!.entries, 5)}\n`)
}
writeSection('Where the time goes', report())

async function profile(title: string, io: 'mmsg' | 'dgram', load: Load): Promise<Profile> {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-profile-'))
  const data = join(folder, 'perf.data')
  const server = await startTurnpike(io, 1, nodeFlags)
  try {
    let recorded: Promise<unknown> | undefined
    const sample = await loadServer(server, load, () => {
      const args = [
        'record',
        '-F',
        '2000',
        '-o',
        data,
        '-p',
        `${server.pid}`,
        '--',
        'sleep',
        `${seconds * 0.9}`,
      ]
      recorded = once(spawn('perf', args, { stdio: 'ignore' }), 'exit')
    })
    await recorded
    if (sample.packets === 0) throw new Error(`${title}: no packet has come through`)
    const text = execFileSync('perf', ['report', '-i', data, '--sort', 'dso,sym', '-t', '|', '--stdio'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 64 * 1024 * 1024,
    })
    return { title, entries: readReport(text), microseconds: 1e6 / sample.packetsPerCpuSecond }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true })
    rmSync(`/tmp/perf-${server.pid}.map`, { force: true })
  }
}

function report(): string {
  const shares = found.map(({ entries }) => sharesOf(entries))
  const rows = [
    ['µs of processor time a packet', ...found.map(({ microseconds }) => microseconds.toFixed(1))],
    ...owners.map((owner) => [owner, ...shares.map((share) => `${share.get(owner)!.toFixed(1)} %`)]),
  ]
  return [
    'Of all threads of the server, by `perf record`; looking costs some of the time it looks at, so that the first row is more',
    'than a packet costs by itself.',
    '',
    table(['whose code', ...found.map(({ title }) => title)], rows),
    '',
    ...found.map(({ title, entries }) => `- **${title}**: ${costliest(entries, 10)}.`),
    '',
    'What falls short, and why: `dgram` is at the floor of node:dgram (docs/adr/0015), and two workers that share one core take',
    'turns there (docs/adr/0011).',
    '',
    `${machine()}. \`npm run bench -- profile\`.`,
  ].join('\n')
}

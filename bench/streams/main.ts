/** TCP and TLS relaying beside coturn: packets that arrive for each second of the server's processor time. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, table, writeSection } from '../support/results.ts'
import { StreamLoad, type StreamTraffic } from './load.ts'
import { makeCertificate, type StreamServer, startCoturn, startTurnpike } from './servers.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1.5' },
    only: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
    flags: { type: 'string', default: '' },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const payload = 172
const serverCore = 0

interface Scenario {
  readonly name: string
  readonly transport: 'tcp' | 'tls'
  readonly clients: number
  readonly direction: 'up' | 'down'
  readonly burst: number
}

const scenarios: readonly Scenario[] = (['tcp', 'tls'] as const).flatMap((transport) =>
  [
    { clients: 8, burst: 8, what: '8 loud flows' },
    { clients: 200, burst: 1, what: '200 quiet flows' },
  ].flatMap(({ clients, burst, what }) =>
    (['up', 'down'] as const).map((direction) => ({
      name: `${transport}, ${what}, ${direction}`,
      transport,
      clients,
      direction,
      burst,
    })),
  ),
)

const folder = mkdtempSync(join(tmpdir(), 'turnpike-bench-streams-'))
const certificate = makeCertificate(folder)
const rows: string[][] = []
try {
  for (const scenario of scenarios) {
    if (values.only !== undefined && !scenario.name.includes(values.only)) continue
    rows.push(await compare(scenario))
    process.stdout.write(`${rows.at(-1)!.join('  ')}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (!values['no-write'] && values.only === undefined) {
  writeSection(
    'Streams',
    `${table(['packets per CPU second', 'turnpike', 'coturn', 'ratio', 'spread'], rows)}

Payloads of ${payload} bytes in channels, what arrived at the far end; medians of ${rounds} rounds, both servers in turns, each pinned
to one core. Spread: lowest and highest ratio of a round. ${machine()}. \`npm run bench -- streams\`.`,
  )
}

async function compare(scenario: Scenario): Promise<string[]> {
  const ours: number[] = []
  const theirs: number[] = []
  const servers = [
    await startTurnpike(serverCore, certificate, values.flags === '' ? [] : values.flags.split(' ')),
    await startCoturn(serverCore, folder, certificate),
  ]
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [i, server] of servers.entries()) {
        const rate = await measure(server, scenario)
        if (round > 0) (i === 0 ? ours : theirs).push(rate)
      }
    }
  } finally {
    for (const server of servers) await server.stop()
  }
  const ratios = ours.map((rate, i) => rate / theirs[i]!).sort((x, y) => x - y)
  const [own, other] = [median(ours), median(theirs)]
  return [
    scenario.name,
    `${Math.round(own / 1000)}k`,
    `${Math.round(other / 1000)}k`,
    (own / other).toFixed(2),
    `${ratios[0]!.toFixed(2)}-${ratios.at(-1)!.toFixed(2)}`,
  ]
}

async function measure(
  server: StreamServer,
  { transport, clients, direction, burst }: Scenario,
): Promise<number> {
  const load = new StreamLoad({ transport, server: server[transport], clients, payload })
  try {
    await load.setUp()
    const traffic: StreamTraffic = { direction, burst, seconds, window: 512 }
    await load.run({ ...traffic, seconds: seconds / 4 })
    const before = server.cpuSeconds()
    const { received } = await load.run(traffic)
    return received / (server.cpuSeconds() - before)
  } finally {
    load.close()
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

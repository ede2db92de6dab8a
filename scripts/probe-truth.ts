/**
 * `npm run truth [seeds] [loss]`: `probeNat` against every simulated network, for 1,000 seeds; exits 1 at a wrong word.
 * With `loss` only a line that loses 20 % each way, and each kind of NAT for each seed.
 */

import { kinds, nats, probeWorld, type WorldOptions, wrongWords } from '../test/support/probe-world.ts'

const seeds = Number(process.argv[2] ?? 1000)
const isLossOnly = process.argv[3] === 'loss'
const servers = [
  'rfc5780',
  'ignores-change-request',
  'dead-alternate',
  'one-address',
  'two-plain',
  'two-ports',
  'turn',
  'partners',
] as const

const blocked = ['udp-dropped', 'udp-rejected', 'tcp-443-only'] as const

const lossy = () => ({ loss: 0.2 })

const axes: readonly ((seed: number) => Omit<WorldOptions, 'seed' | 'kind'>)[] = [
  () => ({}),
  lossy,
  () => ({ loss: 0.2, nat: { ports: 'preserved' } }),
  () => ({ nat: { alg: true } }),
  () => ({ nat: { addresses: 3, pooling: 'arbitrary' } }),
  () => ({ nat: { hairpin: 'external-source' }, probe: { hairpin: true } }),
  (seed) => ({ rebindAtMs: (seed * 37) % 4000 }),
  () => ({ nat: { ports: 'sequential' } }),
  ...servers.slice(1).map((server) => () => ({ server })),
  ...servers.slice(1).map((server) => () => ({ server, loss: 0.2 })),
  (seed) => ({ server: servers[seed % servers.length]!, nat: { outbound: blocked[seed % blocked.length]! } }),
]

interface Tally {
  runs: number
  open: number
  wrongRuns: number
}

const all: Tally = { runs: 0, open: 0, wrongRuns: 0 }
const withLoss: Tally = { runs: 0, open: 0, wrongRuns: 0 }
for (let seed = 1; seed <= seeds; seed++) {
  for (const options of isLossOnly ? lossyRunsOf(seed) : runsOf(seed)) {
    const world = await probeWorld(options)
    const nat = world.report.families.udp4?.nat
    const isOpen = nat?.mapping.value == null || nat.filtering.value === null
    const wrong = wrongWords(world, options)
    for (const tally of options.loss === undefined ? [all] : [all, withLoss]) {
      tally.runs++
      if (isOpen) tally.open++
      if (wrong.length > 0) tally.wrongRuns++
    }
    const { kind, seed: _, ...of } = options
    for (const word of wrong) {
      process.stdout.write(`seed ${seed}, ${kind.name}, ${JSON.stringify(of)}: ${word}\n`)
    }
  }
}
process.stdout.write(`${seeds} seeds: ${lineOf(all)}\nof these with 20 % loss: ${lineOf(withLoss)}\n`)
if (all.wrongRuns > 0) process.exitCode = 1

/** Each seed meets each axis with one kind, and over the seeds every pair of them. */
function runsOf(seed: number): WorldOptions[] {
  return axes.map((axis, i) => {
    const of = axis(seed)
    const pool = of.nat !== undefined || of.rebindAtMs !== undefined ? nats : kinds
    return { seed, kind: pool[(seed + i) % pool.length]!, ...of }
  })
}

function lossyRunsOf(seed: number): WorldOptions[] {
  return kinds.map((kind) => ({ seed, kind, ...lossy() }))
}

function lineOf({ runs, wrongRuns, open }: Tally): string {
  return `${runs} runs, ${wrongRuns} with a wrong word, ${open} with something left open`
}

/** `npm run truth [seeds]`: `probeNat` against every simulated network, for 1,000 seeds; exits 1 at a wrong word. */

import { kinds, nats, probeWorld, type WorldOptions, wrongWords } from '../test/support/probe-world.ts'

const seeds = Number(process.argv[2] ?? 1000)
const servers = [
  'rfc5780',
  'ignores-change-request',
  'dead-alternate',
  'one-address',
  'two-plain',
  'two-ports',
  'turn',
] as const

const axes: readonly ((seed: number) => Omit<WorldOptions, 'seed' | 'kind'>)[] = [
  () => ({}),
  () => ({ loss: 0.2 }),
  () => ({ loss: 0.2, nat: { ports: 'preserved' } }),
  () => ({ nat: { alg: true } }),
  () => ({ nat: { addresses: 3, pooling: 'arbitrary' } }),
  () => ({ nat: { hairpin: 'external-source' }, probe: { hairpin: true } }),
  (seed) => ({ rebindAtMs: (seed * 37) % 4000 }),
  () => ({ nat: { ports: 'sequential' } }),
  ...servers.slice(1).map((server) => () => ({ server })),
  ...servers.slice(1).map((server) => () => ({ server, loss: 0.2 })),
]

let runs = 0
let open = 0
let wrong = 0
for (let seed = 1; seed <= seeds; seed++) {
  // Each seed meets each axis with one kind, and over the seeds every pair of them.
  for (const [i, axis] of axes.entries()) {
    const of = axis(seed)
    const pool = of.nat !== undefined || of.rebindAtMs !== undefined ? nats : kinds
    const options: WorldOptions = { seed, kind: pool[(seed + i) % pool.length]!, ...of }
    const world = await probeWorld(options)
    runs++
    const nat = world.report.families.udp4?.nat
    if (nat?.mapping.value == null || nat.filtering.value === null) open++
    for (const word of wrongWords(world, options)) {
      wrong++
      process.stdout.write(`seed ${seed}, ${options.kind.name}, ${JSON.stringify(of)}: ${word}\n`)
    }
  }
}
process.stdout.write(
  `${runs} runs of ${seeds} seeds: ${wrong} wrong words, ${open} runs with something left open\n`,
)
if (wrong > 0) process.exitCode = 1

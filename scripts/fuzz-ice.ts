/**
 * `npm run fuzz:ice`: random ICE sessions on the simulated internet, one seed after the other. A seed that fails is
 * shrunk to the fewest features with which it does, and printed as a line for test/scenarios/random-sessions.test.ts.
 */

import { parseArgs } from 'node:util'
import { features, runScenario, shrink } from '../test/support/ice-fuzz.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
})
const first = Number(values.seed)
const count = Number(values.count)
const start = performance.now()
let failures = 0
for (let seed = first; seed < first + count; seed++) {
  const { faults } = await runScenario(seed)
  if (faults.length > 0) {
    failures++
    const without = await shrink(seed)
    const { description, faults: left } = await runScenario(seed, without)
    const only = features.filter((feature) => !without.includes(feature))
    process.stdout.write(`{ seed: ${seed}, only: ${JSON.stringify(only)} },\n  // ${description}\n`)
    for (const fault of left) process.stdout.write(`  // ${fault}\n`)
  }
  const done = seed - first + 1
  if (done % 1000 === 0) {
    const seconds = Math.round((performance.now() - start) / 1000)
    process.stderr.write(`${done} sessions in ${seconds} s, ${failures} failures\n`)
  }
}
process.stdout.write(`${count} sessions from seed ${first}: ${failures} failures\n`)
if (failures > 0) process.exitCode = 1

/** `npm run fuzz`: damaged packets against the TURN server in simulated time, from one seed after the other. */

import { parseArgs } from 'node:util'
import { fuzz } from '../test/support/fuzz.ts'

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: `${Date.now() % 1e6}` },
  },
})
const packets = Number(values.packets)
const batch = 20_000
let seed = Number(values.seed)
const start = performance.now()
const totals = { answers: 0, routes: 0, allocations: 0 }
for (let done = 0; done < packets; done += batch) {
  const report = fuzz(Math.min(batch, packets - done), seed++)
  totals.answers += report.answers
  totals.routes += report.routes
  totals.allocations += report.allocations
}
const seconds = ((performance.now() - start) / 1000).toFixed(0)
process.stdout.write(
  `${packets} packets from seed ${values.seed} in ${seconds} s: ${totals.answers} answered, ${totals.routes} relayed, ${totals.allocations} allocations\n`,
)

/** The load as a process of its own, so that it can be pinned to the other core: one scenario as JSON in, figures out. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { Flows } from '../support/flows.ts'
import { password, user } from '../support/servers.ts'
import type { Load } from './scenarios.ts'

const { port, load }: { port: number; load: Load } = JSON.parse(process.argv[2]!)
const common = { server: TransportAddress.of('127.0.0.1', port), user, password, payload: load.payload }
// Other clients first, who come and go: a server that has just started is measured by how fast it compiles.
let firstSeconds = 0
if (load.firstSetUps !== undefined) {
  const first = new Flows({ ...common, flows: load.firstSetUps })
  firstSeconds = first.setUp()
  first.release()
  first.close()
}
const flows = new Flows({
  ...common,
  flows: load.flows,
  isDirect: load.isDirect === true,
  isBare: load.isBare === true,
})
const tell = (event: string, fields: object) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const setUpSeconds = flows.setUp()
tell('set-up', { seconds: setUpSeconds, firstSeconds })
// The beginning is not counted: compilers and caches settle, for so many packets at least where the machine is slow. At full
// speed, for at 10,000 packets/s the compiler would still be at work, on the server's core, when the counting begins.
const { packets: _, ...warmUp } = load
for (let attempt = 0, packets = 0; attempt < 5 && packets < 40_000; attempt++) {
  packets += flows.run({ ...warmUp, rate: 0, seconds: 0.4 }).received
}
// And for seconds at the speed that is measured, where delay is: V8 compiles in threads of its own, which take the one core
// in turns of a scheduler's slice.
if (load.rate > 0) flows.run({ ...warmUp, seconds: 4 })
tell('begin', {})
await waitForLine()
tell('result', flows.run(load))
flows.release()
flows.close()

/** The parent reads the server's clock before it lets us go. */
function waitForLine(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.once('data', () => {
      process.stdin.unref()
      process.stdin.destroy()
      resolve()
    })
  })
}

/** The load as a process of its own, so that it can be pinned to the other core: one scenario as JSON in, figures out. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { Flows } from '../support/flows.ts'
import { password, user } from '../support/servers.ts'
import type { Load } from './scenarios.ts'

const { port, load }: { port: number; load: Load } = JSON.parse(process.argv[2]!)
const flows = new Flows({
  server: TransportAddress.of('127.0.0.1', port),
  user,
  password,
  flows: load.flows,
  payload: load.payload,
  isDirect: load.isDirect === true,
})
const tell = (event: string, fields: object) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const setUpSeconds = flows.setUp()
tell('set-up', { seconds: setUpSeconds })
// The beginning is not counted: compilers and caches settle, for so many packets at least where the machine is slow.
const { packets: _, ...warmUp } = load
for (let attempt = 0, packets = 0; attempt < 5 && packets < 40_000; attempt++) {
  packets += flows.run({ ...warmUp, seconds: 0.4 }).received
  if (load.rate > 0 && attempt === 1) break
}
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

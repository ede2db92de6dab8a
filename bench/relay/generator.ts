/** The load as a process of its own, so that it can be pinned to the other core: one scenario as JSON in, figures out. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { Flows, type TrafficOptions } from '../support/flows.ts'
import { password, user } from '../support/servers.ts'
import type { Load } from './scenarios.ts'

const { port, load }: { port: number; load: Load } = JSON.parse(process.argv[2]!)
const flows = new Flows({
  server: TransportAddress.of('127.0.0.1', port),
  user,
  password,
  flows: load.flows,
  payload: load.payload,
})
const tell = (event: string, fields: object) =>
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const setUpSeconds = flows.setUp()
tell('set-up', { seconds: setUpSeconds })
const traffic: TrafficOptions = { ...load }
// The first half second is not counted: compilers and caches settle.
if (load.seconds > 0) flows.run({ ...traffic, seconds: 0.5 })
tell('begin', {})
await waitForLine()
const result = load.seconds > 0 ? flows.run(traffic) : { sent: 0, received: 0, seconds: 0, p50: 0, p99: 0 }
tell('result', result)
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

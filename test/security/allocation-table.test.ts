/** A flood without credentials, over real sockets: what the engine of each driver has in its tables afterwards. */

import { isBuiltin } from 'node:module'
import { afterEach, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { seededRandom } from '../support/random.ts'
import { UdpEndpoint } from '../support/udp-endpoint.ts'
import { until } from '../support/until.ts'

const isLinux = process.platform === 'linux'
const drivers = isLinux && isBuiltin('node:ffi') ? (['dgram', 'mmsg'] as const) : (['dgram'] as const)
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const random = seededRandom(21)
const sources = 2_000
const requestsEach = 10

let server: RunningServer | undefined
afterEach(() => server?.close())

function allocate(): Uint8Array {
  const transactionId = random.bytes(12)
  return encodeMessage({
    class: 'request',
    method: 'Allocate',
    transactionId,
    attributes: [['REQUESTED-TRANSPORT', 17]],
  })
}

it.skipIf(!isLinux).each(drivers)(
  '20,000 Allocates without credentials from 2,000 addresses are challenged, and leave no allocation (%s)',
  async (io) => {
    server = await startServer(
      {
        ...defaultConfig,
        io,
        users: [{ name: 'alice', password: 'wonder' }],
        listen: [{ transport: 'udp', address: TransportAddress.of('127.0.0.1', 0), isOptional: false }],
        relayPorts: { min: 50_000, max: 50_999 },
        unauthenticatedRate: 0,
      },
      new NodeHost(),
      silent,
    )
    const { port } = server.listeners[0]!.address
    let answers = 0
    for (let i = 0; i < sources; i += 20) {
      const endpoints = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          UdpEndpoint.open(`127.${1 + ((i + n) >> 8)}.${(i + n) & 255}.${1 + (n % 200)}`),
        ),
      )
      for (const endpoint of endpoints) {
        for (let k = 0; k < requestsEach; k++) endpoint.send(allocate(), port)
      }
      await until(() => endpoints.every(({ received }) => received.length === requestsEach), 'every answer')
      for (const endpoint of endpoints) {
        answers += endpoint.received.length
        endpoint.close()
      }
    }
    expect(answers).toBe(sources * requestsEach)
    // Threads tell what they have counted a tenth of a second later.
    const { challenges } = server.counters
    await until(() => server!.counters.challenges >= sources * requestsEach, `${challenges} challenges`)
    expect(server.counters).toMatchObject({ allocations: 0, allocationsCreated: 0, successResponses: 0 })
  },
)

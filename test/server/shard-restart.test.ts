/** A shard that dies: the others go on, it is started again, and nothing that it held is lost. */

import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost, nodeRandom } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { IoName } from '../../src/server/io-config.ts'
import type { Log } from '../../src/server/log.ts'
import { QuotaLedger } from '../../src/server/quota-ledger.ts'
import { newSharedState } from '../../src/server/shared-memory.ts'
import { ThreadShards } from '../../src/server/threads/thread-shards.ts'
import { TransferExchange } from '../../src/server/transfer-exchange.ts'
import { quietLoopback } from '../support/loopback.ts'
import { UdpTurnClient } from '../support/udp-turn-client.ts'

const loopback = TransportAddress.of('127.0.0.1', 0)
const relayAddress = quietLoopback()
const relays = [{ address: relayAddress, external: relayAddress }]

const drivers: [IoName][] = [['dgram'], ['mmsg']]

describe.skipIf(process.platform !== 'linux').each(drivers)('Four shards over %s', (io) => {
  let shards: ThreadShards | undefined
  const clients: UdpTurnClient[] = []
  const lines: string[] = []
  const log: Log = {
    level: 'warn',
    debug: () => {},
    info: () => {},
    warn: (message) => lines.push(message),
    error: (message) => lines.push(message),
  }

  const config: ServeConfig = {
    ...defaultConfig,
    listen: [{ transport: 'udp', address: loopback, isOptional: false }],
    users: [{ name: 'alice', password: 'a' }],
    relayPorts: { min: 22_000, max: 22_999 },
    userQuota: 12,
    io,
    workers: 4,
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await shards?.close()
  })

  it('are four again after one has died, with its ports, quotas and descriptors free', async () => {
    const shared = newSharedState(config, 1, config.relayPorts, nodeRandom)
    const memory = shared.relayPorts
    const ledger = new QuotaLedger(config, shared.rates)
    const exchange = new TransferExchange(ledger, { relays, range: config.relayPorts, memory })
    const nonceKey = nodeRandom.bytes(32)
    const around = { ownAddresses: [], relays, alternates: [], partners: [], nonceKey, shared }
    shards = await ThreadShards.start(config, around, new NodeHost(), log, ledger, exchange)
    const { address } = shards.listeners[0]!
    const taken = () => Atomics.load(memory[0]!.taken, 0)
    for (let i = 0; i < 12; i++) clients.push(await UdpTurnClient.open(address))
    for (const client of clients) await client.allocate()
    expect(taken()).toBe(12)
    const before = (await shards.allocations()).length
    expect(before).toBe(12)

    await until(() => shards?.counters().allocations === 12)
    const descriptors = readdirSync('/proc/self/fd').length
    await shards.crash(1)
    await until(() => lines.includes('the shard serves again'))
    expect(lines[0]).toBe('a shard has died, and its allocations with it')

    const left = await shards.allocations()
    expect(taken()).toBe(left.length)
    // Those on other shards have not noticed; the rest find no allocation, and make another.
    const kept = new Set(left.map(({ client }) => client.port))
    for (const client of clients) {
      const answer = await client.request('Refresh', [['LIFETIME', 600]])
      const isKept = kept.has(client.address.port)
      expect(answer.get('ERROR-CODE')?.code).toBe(isKept ? undefined : 437)
      if (!isKept) await client.allocate()
    }
    expect((await shards.allocations()).length).toBe(12)
    expect(taken()).toBe(12)
    expect(readdirSync('/proc/self/fd').length).toBe(descriptors)
    await until(() => shards?.counters().allocationsCreated === 12 + 12 - left.length)
  }, 90_000)
})

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited for a minute')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

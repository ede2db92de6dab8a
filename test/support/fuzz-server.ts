/** A server in a process of its own for datagram-fuzz.ts: says where it listens, and what it has counted when asked. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig } from '../../src/server/config.ts'
import type { IoName } from '../../src/server/io-config.ts'
import { createLog } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'
import type { ServerCounters } from '../../src/turn/counters.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'

/** From the fuzz: what to do. */
export type FuzzOrder = 'counters' | 'stop'

export type FuzzNews =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'counters'; readonly counters: ServerCounters; readonly rss: number }

const [io, workers, ip, relayIp, peerIp] = process.argv.slice(2) as [IoName, string, string, string, string]

const server = await startServer(
  {
    ...defaultConfig,
    io,
    workers: Number(workers),
    listen: [{ transport: 'udp', address: TransportAddress.of(ip, 0), isOptional: false }],
    relayAddresses: [TransportAddress.of(relayIp, 0)],
    users: [{ name: 'alice', password: 'wonder' }],
    allowPeers: [parseAddressRange(`${peerIp}/32`)],
    unauthenticatedRate: 0,
    mobility: true,
  },
  new NodeHost(),
  createLog({ level: 'warn', format: 'pretty', stream: process.stderr, date: () => new Date() }),
)

function tell(news: FuzzNews): void {
  process.send?.(news)
}

process.on('message', async (order: FuzzOrder) => {
  if (order === 'counters') {
    // Those of threads are up to a tenth of a second old.
    setTimeout(() => {
      tell({ type: 'counters', counters: server.counters, rss: process.memoryUsage.rss() })
    }, 300)
    return
  }
  await server.close()
  process.disconnect?.()
})
tell({ type: 'listening', port: server.listeners[0]!.address.port })

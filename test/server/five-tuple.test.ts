/** A server of several shards: all packets of a client have to reach the one that has its allocation. */

import { isBuiltin } from 'node:module'
import { afterEach, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { RealClient } from '../support/real-client.ts'

const drivers = process.platform === 'linux' && isBuiltin('node:ffi') ? ['dgram', 'mmsg'] : ['dgram']

let server: (Child & { port: number }) | undefined
afterEach(() => server?.stop())

it.each(drivers)(
  'a five-tuple stays with its shard: not one of many requests reaches another one (%s)',
  async (io) => {
    server = await startTurnpike([
      ...['--io', io, '--workers', '4', '--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8'],
    ])
    const { port } = server
    const clients = Array.from(
      { length: 16 },
      () =>
        new RealClient({
          transport: 'udp',
          server: { address: TransportAddress.of('127.0.0.1', port), name: 'localhost' },
          credentials: { username: 'alice', password: 'wonder' },
        }),
    )
    // Each permission is a request of its own; at another shard it would be answered 437, and the client would fail.
    const peers = Array.from({ length: 25 }, (_, i) => TransportAddress.of(`127.0.1.${i + 1}`, 9))
    await Promise.all(clients.map((client) => client.until('allocated')))
    for (const [i, peer] of peers.entries()) {
      for (const client of clients) client.connection.permit(peer)
      await Promise.all(clients.map((client) => client.until('permission-installed', i + 1)))
    }
    for (const client of clients) {
      expect(client.events.filter(({ type }) => type !== 'permission-installed')).toEqual([
        expect.objectContaining({ type: 'allocated' }),
      ])
      await client.close()
    }
  },
)

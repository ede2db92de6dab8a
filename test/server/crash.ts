/** A server with threads of its own for UDP, and TCP in the main one, that dies of a fault in its main thread, once the other is idle. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig } from '../../src/server/config.ts'
import type { IoConfig } from '../../src/server/io-config.ts'
import type { Log } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'

const io = process.argv[2] as IoConfig['io']
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const address = TransportAddress.of('127.0.0.1', 0)
await startServer(
  {
    ...defaultConfig,
    io,
    workers: 2,
    users: [{ name: 'alice', password: 'wonder' }],
    listen: [
      { transport: 'udp', address, isOptional: false },
      { transport: 'tcp', address, isOptional: false },
    ],
  },
  new NodeHost(),
  silent,
)
process.stdout.write(`serving by ${io}\n`)
setTimeout(() => {
  throw new Error('a fault in the main thread')
}, 500)

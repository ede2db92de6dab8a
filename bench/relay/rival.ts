/** npm turn-server, as its README starts it: a child process for the benchmark. Argument: the port to listen on. */

import { createServer } from 'turn-server'

const server = createServer({
  auth: { mechanism: 'long-term', realm: 'bench.example', credentials: { bench: 'secret' } },
  relay: { ip: '127.0.0.1', portRange: [20_000, 60_000] },
  allowLoopback: true,
  maxConnections: 100_000,
  listen: [{ port: Number(process.argv[2]), transport: 'udp', address: '127.0.0.1' }],
})
server.on('error', () => {})
server.on('listening', () => process.stdout.write('{"event":"listening"}\n'))
server.start()

/** The signaling server alone in a process, for the benchmark: prints its port, and runs until it is ended. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NodeHost } from '../../src/net/node-host.ts'
import { serveSignaling } from '../../src/signaling/server.ts'

const http = createServer((_request, response) => response.writeHead(404).end())
serveSignaling(http, new NodeHost(), { path: '/signaling', maxConnectionsPerAddress: 10_000 })
http.listen(0, '127.0.0.1', () => process.stdout.write(`${(http.address() as AddressInfo).port}\n`))

/** A server with RFC 5780 on two loopback addresses of its own, and what can stand before it. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import type { Filtering, Mapping } from '../../src/probe/behavior.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { LoopbackNat } from './loopback-nat.ts'
import { quietPorts } from './quiet-ports.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const attempts = 10

export interface NatOnLoopback {
  /** The server as clients inside know it. */
  readonly inside: TransportAddress
  readonly externalIp: string
  close(): Promise<void>
}

/** Behind 127.x.y.1 the server of 127.x.y.30 and 127.x.y.31, which advertises the faces of the NAT. */
export async function natOnLoopback(mapping: Mapping, filtering: Filtering): Promise<NatOnLoopback> {
  // A port that is free now may not be when it is bound: then others are tried.
  for (let attempt = 1; ; attempt++) {
    const net = `127.${among(1, 254)}.${among(0, 255)}`
    const port = await quietPorts(2)
    const servers = [30, 31].map((host) => TransportAddress.of(`${net}.${host}`, port))
    const faces = [20, 21].map((host) => TransportAddress.of(`${net}.${host}`, port))
    const advertised = servers.map((server, i) => ({
      inside: server.withPort(0),
      outside: faces[i]!.withPort(0),
    }))
    let server: RunningServer | undefined
    try {
      server = await startServer(
        {
          ...defaultConfig,
          io: 'dgram',
          users: [{ name: 'u', password: 'p' }],
          listen: [{ transport: 'udp', address: servers[0]!, isOptional: false }],
          alternateAddresses: [servers[1]!.withPort(0)],
          advertised,
        },
        new NodeHost(),
        quiet,
      )
      const nat = await LoopbackNat.open({
        mapping,
        filtering,
        externalIp: `${net}.1`,
        faces: faces.flatMap((inside, i) =>
          [port, port + 1].map((one) => ({
            inside: inside.withPort(one),
            server: servers[i]!.withPort(one),
          })),
        ),
      })
      const running = server
      return {
        inside: faces[0]!,
        externalIp: `${net}.1`,
        close: async () => {
          await nat.close()
          await running.close()
        },
      }
    } catch (error) {
      await server?.close()
      if (attempt === attempts) throw error
    }
  }
}

function among(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

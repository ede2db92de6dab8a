/**
 * Two headless peers on a simulated internet, in step with the real clock because werift has timers of its own: behind each
 * of four kinds of access, by the same four, with a TURN server for all. Signaling goes over real WebSockets.
 */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import type { Call } from '../../src/peer/call.ts'
import { HeadlessPeer } from '../../src/peer/headless-peer.ts'
import { type MediaSource, openMedia } from '../../src/peer/media-source.ts'
import type { SignalingServer } from '../../src/signaling/server.ts'
import { serveSignaling } from '../../src/signaling/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import type { Internet } from '../../src/sim/internet.ts'
import { hostBehind } from '../support/ice-cell.ts'
import { IceWorld } from '../support/ice-world.ts'

const accesses = {
  open: (internet: Internet) => hostBehind(internet, 'OPEN'),
  'EIM/APDF': (internet: Internet) => hostBehind(internet, 'EP'),
  'APDM/APDF': (internet: Internet) => hostBehind(internet, 'PP'),
  'UDP-blocked': (internet: Internet) => internet.nat({ outbound: 'udp-dropped' }).host(),
} satisfies Record<string, (internet: Internet) => SimHost>
type Access = keyof typeof accesses

/** What the matrix of NATs says: all other cells go through the relay. */
const direct: readonly (readonly [Access, Access])[] = [
  ['open', 'open'],
  ['open', 'EIM/APDF'],
  ['open', 'APDM/APDF'],
  ['EIM/APDF', 'EIM/APDF'],
]

function isDirect(a: Access, b: Access): boolean {
  return direct.some(([x, y]) => (x === a && y === b) || (x === b && y === a))
}

const names = Object.keys(accesses) as Access[]
const cells = names.flatMap((a) => names.map((b) => ({ a, b, path: isDirect(a, b) ? 'direct' : 'relayed' })))

const patience = { timeout: 90_000, interval: 20 }

describe('two headless peers', { timeout: 180_000 }, () => {
  let http: Server
  let signaling: SignalingServer
  let url: string
  let media: MediaSource

  beforeAll(async () => {
    http = createServer()
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    signaling = serveSignaling(http, new NodeHost(), { path: '/signaling' })
    url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/signaling`
    media = await openMedia('test', ['video', 'audio'])
  })

  afterAll(async () => {
    media.close()
    signaling.close()
    await new Promise((resolve) => http.close(resolve))
  })

  it.each(cells)('$a by $b: $path, with data and media', async ({ a, b, path }) => {
    const world = new IceWorld({ link: { delayMs: 2 } })
    const { internet } = world
    await world.startServer({
      listen: (['udp', 'tcp'] as const).map((transport) => ({
        transport,
        address: TransportAddress.of('0.0.0.0', 3478),
        isOptional: false,
      })),
    })
    const ip = world.serverHost.address().ip
    const iceServers = [
      { urls: [`stun:${ip}`] },
      {
        urls: [`turn:${ip}?transport=udp`, `turn:${ip}?transport=tcp`],
        username: 'alice',
        credential: 'wonder',
      },
    ]
    const hosts = { ann: accesses[a](internet), bob: accesses[b](internet) }
    const stop = internet.runInRealTime()
    const heard: string[] = []
    const packets = { video: 0, audio: 0 }
    {
      const room = `${a} ${b}`
      await using bob = await HeadlessPeer.join({
        ...{ url, room, name: 'Bob', host: hosts.bob, iceServers },
        onCall: (incoming) => incoming.accept({ echo: true }),
      })
      await using ann = await HeadlessPeer.join({ url, room, name: 'Ann', host: hosts.ann, iceServers })
      const call: Call = await ann.call(
        bob.id,
        { media },
        {
          message: (text) => heard.push(text),
          track: (track) => {
            track.onReceiveRtp.subscribe(() => {
              packets[track.kind as 'video' | 'audio']++
            })
          },
        },
      )
      await call.connected()
      call.say('there and back')
      await expect.poll(() => heard, patience).toEqual(['there and back'])
      // Bob sends back what he gets, so that it has gone both ways.
      await expect.poll(() => Math.min(packets.video, packets.audio), patience).toBeGreaterThan(20)
      await expect.poll(() => call.path(), patience).toMatchObject({ isRelayed: path === 'relayed' })
    }
    stop()
    // They have left nothing: no socket, no allocation.
    internet.run({ for: 60_000 })
    expect(world.allocations).toBe(0)
    world.server?.close()
    internet.run({ for: 10_000 })
    expect(internet.run({ for: 0 })).toBe(true)
  })
})

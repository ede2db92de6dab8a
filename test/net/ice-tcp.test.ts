/** ICE over TCP (RFC 6544) with a Host's connections. */

import { describe, expect, test } from 'vitest'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import { simulatedCertificate } from '../../src/sim/certificate.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { connectGathered, IceWorld, type SideOptions } from '../support/ice-world.ts'

/** Two hosts whose networks let no UDP out. */
async function pair(a: SideOptions, b: SideOptions, placeOfB: 'public' | 'nat' = 'public') {
  const world = new IceWorld()
  await world.startServer()
  const { internet } = world
  const blocked = internet.nat({ outbound: 'udp-dropped' })
  const other = placeOfB === 'public' ? internet : internet.nat({ outbound: 'udp-dropped' })
  const sides = [
    world.side('controlling', blocked.host(), { servers: [], ...a }),
    world.side('controlled', other.host(), { servers: [], ...b }),
  ] as const
  return { world, internet, nat: blocked, a: sides[0], b: sides[1] }
}

test('an active candidate behind a NAT reaches a passive one on a public address', async () => {
  const { internet, a, b } = await pair({ tcp: ['active'] }, { tcp: ['passive'] })
  const start = connectGathered(a, b)
  internet.run({ for: 2000 })
  expect(
    a.candidates
      .filter(({ protocol }) => protocol === 'tcp')
      .map(({ tcpType, address }) => [tcpType, address.port]),
  ).toEqual([['active', 9]])
  expect([a.state, b.state]).toEqual(['completed', 'completed'])
  expect(a.selected?.local.protocol).toBe('tcp')
  // One round trip for the connection, one for the check; the checks over UDP take one slot before.
  expect(a.firstPathAt! - start).toBeLessThanOrEqual(85)
  for (let i = 0; i < 50; i++) {
    a.send(`${i} ${'x'.repeat(1000)}`)
    b.send(`${i}`)
  }
  internet.run({ for: 1000 })
  expect(b.received.map(({ text }) => Number(text.split(' ')[0]))).toEqual(
    Array.from({ length: 50 }, (_, i) => i),
  )
  expect(a.received).toHaveLength(50)
})

test('with all kinds on both sides there is one connection in the end', async () => {
  const { internet, a, b } = await pair({ tcp: ['active', 'passive'] }, { tcp: ['active', 'passive'] })
  connectGathered(a, b)
  internet.run({ for: 5000 })
  expect([a.state, b.state]).toEqual(['completed', 'completed'])
  a.send('hello')
  internet.run({ for: 100 })
  expect(b.received.map(({ text }) => text)).toEqual(['hello'])
})

test('simultaneous open on one network', async () => {
  const world = new IceWorld()
  const { internet } = world
  const home = internet.nat({ outbound: 'udp-dropped' })
  const options: SideOptions = {
    servers: [],
    tcp: ['so'],
    gatherFilter: ({ protocol }) => protocol === 'tcp',
  }
  const a = world.side('controlling', home.host(), options)
  const b = world.side('controlled', home.host(), options)
  connectGathered(a, b)
  internet.run({ for: 2000 })
  expect(a.selected?.local.tcpType).toBe('so')
  expect([a.state, b.state]).toEqual(['completed', 'completed'])
})

/** Answers Binding requests over TLS. */
function serveBindings(host: SimHost): void {
  const certificates = [simulatedCertificate({ names: ['turn.example'] })]
  const tls = { certificates, alpn: ['stun.nat-discovery'], handshakeTimeoutMs: 5000 }
  host.listenTcp(
    { address: host.address(5349), tls },
    {
      bound: () => {},
      failed: () => {},
      handshakeFailed: () => {},
      acceptFailed: () => {},
      connection: (stream, remote) => ({
        opened: () => {},
        failed: () => {},
        drained: () => {},
        closed: () => {},
        ended: () => stream.end(),
        data: (bytes) => {
          const request = decodeMessage(bytes)
          if (typeof request === 'string') throw new Error(request)
          const { transactionId } = request
          stream.write(
            encodeMessage({
              class: 'success',
              method: 'Binding',
              transactionId,
              attributes: [['XOR-MAPPED-ADDRESS', remote]],
            }),
          )
        },
      }),
    },
  )
}

describe('a STUN server over TLS', () => {
  function gathered(urls: string, options: SideOptions = {}) {
    const world = new IceWorld()
    const { internet } = world
    serveBindings(world.serverHost)
    const nat = internet.nat({ ports: 'random' })
    const side = world.side('controlling', nat.host(), { servers: [{ urls }], tcp: ['so'], ...options })
    side.transport.gather()
    internet.run({ for: 10_000 })
    return { internet, nat, side }
  }

  test('tells how a simultaneous-open candidate looks from outside', () => {
    const { internet, nat, side } = gathered('stuns:turn.example')
    const [host, reflexive] = side.candidates.filter(({ protocol }) => protocol === 'tcp')
    expect(reflexive).toMatchObject({ type: 'srflx', tcpType: 'so', related: host!.address })
    expect(`${(reflexive!.address as TransportAddress).ip}`).toBe(nat.addresses[0]!.ip)
    expect(reflexive!.address.port).not.toBe(host!.address.port)
    expect(side.all('server-failed')).toEqual([])
    expect(side.all('gathering').at(-1)?.event.state).toBe('complete')
    side.transport.close()
    expect(internet.run()).toBe(true)
  })

  test('is of no use without such candidates, and the reason says so', () => {
    const { side } = gathered('stuns:turn.example', { tcp: ['active', 'passive'] })
    expect(side.all('server-failed').map(({ event }) => [event.url, event.reason])).toEqual([
      ['stuns:turn.example', "of use to candidates over TCP only: add tcp: ['so']"],
    ])
    expect(side.all('gathering').at(-1)?.event.state).toBe('complete')
  })

  test('that is not there is told, and ends the waiting', () => {
    const { side } = gathered('stuns:turn.example:99')
    expect(side.all('server-failed').map(({ event }) => event.reason)).toEqual(['ECONNREFUSED'])
  })
})

test('UDP wins where both work', async () => {
  const world = new IceWorld()
  await world.startServer()
  const { internet } = world
  const a = world.side('controlling', internet.nat().host(), { tcp: ['active', 'passive'] })
  const b = world.side('controlled', internet.host(), { tcp: ['active', 'passive'] })
  connectGathered(a, b)
  internet.run({ for: 2000 })
  expect([a.selected?.local.protocol, b.selected?.local.protocol]).toEqual(['udp', 'udp'])
})

test('a connection that breaks is opened again by the side that opened it, and data goes on', async () => {
  const { internet, nat, a, b } = await pair({ tcp: ['active'] }, { tcp: ['passive'] })
  connectGathered(a, b)
  internet.run({ for: 2000 })
  const paths = a.all('path').length
  // What is sent now comes from another port, and is answered by a reset.
  nat.rebind()
  a.send('lost')
  internet.run({ for: 2000 })
  expect(
    a
      .all('path')
      .slice(paths)
      .map(({ event }) => event.reason),
  ).toEqual(['pair-lost', 'fallback'])
  a.send('hello again')
  internet.run({ for: 100 })
  expect(b.received.at(-1)?.text).toBe('hello again')
})

test('close leaves nothing', async () => {
  const { internet, world, a, b } = await pair({ tcp: ['active', 'passive'] }, { tcp: ['active', 'passive'] })
  connectGathered(a, b)
  internet.run({ for: 2000 })
  a.transport.close()
  b.transport.close()
  world.server?.close()
  internet.run({ for: 1000 })
  expect(internet.run()).toBe(true)
})

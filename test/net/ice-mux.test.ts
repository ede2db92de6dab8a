/** Many sessions on one UDP port, in a simulated internet and on the sockets of this machine. */

import { afterEach, describe, expect, test } from 'vitest'
import { type IceTransport, openIce } from '../../src/net/ice/transport.ts'
import { UdpMux } from '../../src/net/ice/udp-mux.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { connectTrickling, IceSide, IceWorld } from '../support/ice-world.ts'
import { until } from '../support/until.ts'

const count = 40

/** A server of many sessions on one port behind a NAT, and a client of each, behind a NAT of its own. */
async function crowd() {
  const world = new IceWorld()
  await world.startServer()
  const { internet } = world
  const nat = internet.nat({ filtering: 'endpoint-independent' })
  const host = nat.host()
  const mux = new UdpMux(host, { port: 5000 })
  const pairs = Array.from({ length: count }, () => {
    const server = new IceSide(world, host, { role: 'controlled', mux, servers: world.servers(false, host) })
    const client = world.side('controlling', internet.nat().host())
    return { server, client }
  })
  return { world, internet, nat, host, mux, pairs }
}

/** Description and candidates of the newest generation. */
function tellNewest(from: IceSide, to: IceSide): void {
  const { localDescription } = from.transport
  to.transport.connect(localDescription)
  for (const { event } of from.all('local-candidate')) {
    if (event.ufrag === localDescription.ufrag) to.transport.addRemoteCandidate(event.candidate)
  }
}

describe('in a simulated internet', () => {
  test('every session connects on the one port, and hears its own peer', async () => {
    const { internet, nat, mux, pairs } = await crowd()
    for (const { server, client } of pairs) connectTrickling(client, server, 10)
    internet.run({ for: 3000 })
    expect(mux.addresses.map(({ port }) => port)).toEqual([5000])
    const external = nat.addresses[0]!.withPort(5000)
    for (const [i, { server, client }] of pairs.entries()) {
      expect([client.state, server.state]).toEqual(['completed', 'completed'])
      // All have asked the same STUN server from the same port, and each has had its answer.
      expect(server.candidates.map(({ type, address }) => `${type} ${address.port}`)).toEqual([
        'host 5000',
        'srflx 5000',
      ])
      expect(client.selected?.remote.address).toEqual(external)
      client.send(`from client ${i}`)
      server.send(`from server ${i}`)
    }
    internet.run({ for: 100 })
    for (const [i, { server, client }] of pairs.entries()) {
      expect(server.received.map(({ text }) => text)).toEqual([`from client ${i}`])
      expect(client.received.map(({ text }) => text)).toEqual([`from server ${i}`])
    }
  })

  test('one restarts, another ends, and the rest does not notice', async () => {
    const { world, internet, mux, pairs } = await crowd()
    for (const { server, client } of pairs) connectTrickling(client, server, 10)
    internet.run({ for: 3000 })
    const [restarting, ending, ...rest] = pairs
    const { server, client } = restarting!
    for (const side of [server, client]) {
      side.onEvent = () => {}
      side.transport.restart()
    }
    internet.run({ for: 200 })
    tellNewest(server, client)
    tellNewest(client, server)
    ending!.server.transport.close()
    internet.run({ for: 60_000 })
    expect(server.all('selected-pair').length).toBeGreaterThan(1)
    for (const { server, client } of [restarting!, ...rest]) {
      expect([client.state, server.state]).toEqual(['completed', 'completed'])
    }
    expect(ending!.client.state).toBe('failed')
    for (const { server, client } of pairs) {
      client.transport.close()
      server.transport.close()
    }
    mux.close()
    world.server?.close()
    internet.run({ for: 1000 })
    expect(internet.run()).toBe(true)
  })

  test('a port that is taken is told, with its address', async () => {
    const { internet, host, pairs } = await crowd()
    pairs[0]!.server.transport.gather()
    internet.run({ for: 100 })
    const world = pairs[0]!.server.world
    const second = new IceSide(world, host, { role: 'controlled', mux: new UdpMux(host, { port: 5000 }) })
    second.transport.gather()
    internet.run({ for: 100 })
    expect(second.all('bind-failed').map(({ event }) => [event.address.ip, event.reason])).toEqual([
      [host.address().ip, 'EADDRINUSE'],
    ])
    expect(second.all('gathering').at(-1)?.event.state).toBe('complete')
  })
})

test('streams and port ranges are refused, with the reason', () => {
  const host = new NodeHost()
  const mux = new UdpMux(host)
  const open = (options: object) => () =>
    openIce(host, { role: 'controlled', mux, ...options }, { onEvent: () => {}, onData: () => {} })
  expect(open({ components: 2 })).toThrow(/one stream of one component/)
  expect(open({ portRange: [50_000, 50_100] })).toThrow(/leave out portRange/)
})

describe('on this machine', () => {
  const open: { close(): void }[] = []

  afterEach(() => {
    for (const each of open.splice(0)) each.close()
  })

  test('every session connects on the one port, and hears its own peer', async () => {
    const host = new NodeHost()
    const mux = new UdpMux(host)
    const received = new Map<string, string[]>()
    const sessions = Array.from({ length: 10 }, (_, i) => {
      const server = join(`server ${i}`, 'controlled')
      const client = join(`client ${i}`, 'controlling')
      return { server, client }
    })
    function join(name: string, role: 'controlling' | 'controlled') {
      const texts: string[] = []
      received.set(name, texts)
      const transport: IceTransport = openIce(
        host,
        {
          role,
          ...(role === 'controlled' && { mux }),
          interfaces: { loopback: true, allow: [] },
        },
        {
          onEvent: (event) => {
            if (event.type === 'local-candidate') other(name).transport.addRemoteCandidate(event.candidate)
          },
          onData: (bytes) => texts.push(new TextDecoder().decode(bytes)),
        },
      )
      open.push(transport)
      return { name, transport }
    }
    function other(name: string) {
      const session = sessions[Number(name.split(' ')[1])]!
      return name.startsWith('server') ? session.client : session.server
    }
    for (const { server, client } of sessions) {
      server.transport.connect(client.transport.localDescription)
      client.transport.connect(server.transport.localDescription)
      server.transport.gather()
      client.transport.gather()
    }
    open.push(mux)
    await until(() =>
      sessions.every((pair) =>
        [pair.server, pair.client].every(({ transport }) => transport.state === 'completed'),
      ),
    )
    const ports = new Set(mux.addresses.map(({ port }) => port))
    for (const { server, client } of sessions) {
      const { local } = server.transport.pairs().find(({ isNominated }) => isNominated)!
      expect(ports).toContain(local.base.port)
      for (const { name, transport } of [server, client]) transport.send(new TextEncoder().encode(name))
    }
    await until(() => [...received.values()].every(({ length }) => length > 0))
    for (const { server, client } of sessions) {
      expect(received.get(server.name)).toEqual([client.name])
      expect(received.get(client.name)).toEqual([server.name])
    }
  })
})

import { afterEach, expect, it } from 'vitest'
import type { TurnConnection } from '../../src/net/turn-connection.ts'
import { dialTurn, type TurnDialOptions } from '../../src/net/turn-dial.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { AvoidedServers } from '../../src/turn/client/avoided-servers.ts'
import type { TurnClientEvent } from '../../src/turn/client/outputs.ts'
import { TurnWorld } from '../support/turn-world.ts'

let world: TurnWorld

afterEach(() => world.close())

interface Dialled {
  readonly connection: TurnConnection
  readonly events: TurnClientEvent[]
}

async function start(): Promise<void> {
  world = new TurnWorld('udp')
  await world.start()
  world.internet.name('turn.example', world.serverHost)
}

function dial(uri: string, options: Partial<TurnDialOptions> = {}): Dialled {
  const events: TurnClientEvent[] = []
  const connection = dialTurn(
    world.clientHost,
    {
      uri: parseServerUri(uri),
      credentials: { username: 'alice', password: 'wonder' },
      ...options,
    },
    { event: (event) => events.push(event), data: () => {} },
  )
  expect(events).toEqual([])
  return { connection, events }
}

const types = ({ events }: Dialled) => events.map(({ type }) => type)

it('makes an allocation on the server that the name leads to', async () => {
  await start()
  const dialled = dial('turn:turn.example?transport=udp')
  world.until(() => dialled.events.length > 0)
  expect(dialled.events).toMatchObject([{ type: 'allocated', allocation: { server: world.serverAddress } }])
})

it('passes on what was permitted before there was an allocation', async () => {
  await start()
  const [peer, other, unwanted] = [world.peer(), world.peer(), world.peer()]
  const dialled = dial('turn:turn.example?transport=udp')
  dialled.connection.permit(peer.address)
  dialled.connection.bindChannel(other.address)
  dialled.connection.permit(unwanted.address)
  dialled.connection.forget(unwanted.address)
  world.run(5000)
  expect(types(dialled).sort()).toEqual([
    'allocated',
    'channel-bound',
    'permission-installed',
    'permission-installed',
  ])
  expect(dialled.connection.send(new Uint8Array(3), peer.address)).toBe(true)
  world.run(1000)
  expect(peer.received).toHaveLength(1)
})

it('goes on to the next address when the first is silent, after a head start of 250 ms', async () => {
  await start()
  const dead = world.internet.host().address(0).ip
  world.internet.name('two.example', { A: [dead, world.serverHost.address(0).ip] })
  world.internet.intercept((packet) => packet.destination.ip !== dead)
  const dialled = dial('turn:two.example?transport=udp')
  const begun = world.internet.now
  world.until(() => dialled.events.length > 0)
  expect(types(dialled)).toEqual(['allocated'])
  // DNS, head start, two round trips of 40 ms.
  expect(world.internet.now - begun).toBe(10 + 250 + 80)
})

it('goes on to the next server at once when the first refuses the connection', async () => {
  await start()
  const closed = world.internet.host().address(0).ip
  world.internet.name('mixed.example', { A: [closed, world.serverHost.address(0).ip] })
  const dialled = dial('turn:mixed.example', { transports: ['tcp', 'udp'] })
  world.until(() => dialled.events.length > 0)
  expect(types(dialled)).toEqual(['allocated'])
  expect(world.internet.now).toBeLessThan(1000)
})

it('gives back the allocation of the server that was slower', async () => {
  await start()
  const slow = world.internet.host({ link: { delayMs: 150 } })
  const slowServer = await world.startOn(slow)
  world.internet.name('both.example', { A: [slow.address(0).ip, world.serverHost.address(0).ip] })
  const dialled = dial('turn:both.example?transport=udp')
  world.run(20_000)
  expect(dialled.events).toMatchObject([{ type: 'allocated', allocation: { server: world.serverAddress } }])
  expect(world.server?.counters.allocations).toBe(1)
  expect(slowServer.counters).toMatchObject({ allocationsCreated: 1, allocations: 0 })
  slowServer.close()
})

it('fails when no server allocates, and tells what one of them has said', async () => {
  await start()
  const dead = world.internet.host().address(0).ip
  world.internet.name('mixed.example', { A: [world.serverHost.address(0).ip, dead] })
  world.internet.intercept((packet) => packet.destination.ip !== dead)
  const dialled = dial('turn:mixed.example?transport=udp', {
    credentials: { username: 'alice', password: 'wrong' },
    serverDeadlineMs: 4000,
  })
  world.run(20_000)
  expect(dialled.events).toMatchObject([{ type: 'failed', failure: { type: 'rejected', code: 401 } }])
})

it('fails when the name leads nowhere', async () => {
  await start()
  const dialled = dial('turn:nowhere.example')
  world.run(20_000)
  expect(dialled.events).toEqual([
    { type: 'failed', failure: { type: 'transport-failed', reason: 'ENOTFOUND' } },
  ])
})

it('leaves a server alone for a minute that has no more to give', async () => {
  world = new TurnWorld('udp')
  await world.start({ relayPorts: { min: 50_000, max: 50_000 } })
  world.internet.name('turn.example', world.serverHost)
  const avoided = new AvoidedServers()
  const first = dial('turn:turn.example?transport=udp', { avoided })
  world.run(5000)
  const full = { type: 'failed', failure: { type: 'rejected', code: 508 } }
  const second = dial('turn:turn.example?transport=udp', { avoided })
  world.run(5000)
  expect(second.events).toMatchObject([full])
  const asked = world.server!.counters.errorResponses
  first.connection.close()
  world.run(1000)
  const third = dial('turn:turn.example?transport=udp', { avoided })
  world.run(5000)
  expect(third.events).toMatchObject([full])
  expect(world.server!.counters.errorResponses).toBe(asked)
  world.run(60_000)
  const fourth = dial('turn:turn.example?transport=udp', { avoided })
  world.run(5000)
  expect(types(fourth)).toEqual(['allocated'])
})

it('closes clean whenever it is closed', async () => {
  await start()
  const dead = world.internet.host().address(0).ip
  world.internet.name('two.example', { A: [dead, world.serverHost.address(0).ip] })
  world.internet.intercept((packet) => packet.destination.ip !== dead)
  for (let milliseconds = 0; milliseconds <= 400; milliseconds += 20) {
    const dialled = dial('turn:two.example')
    world.run(milliseconds)
    dialled.connection.close()
    world.run(10_000)
    expect(types(dialled).at(-1)).toBe('closed')
    expect(world.server?.counters.allocations).toBe(0)
  }
})

it('says nothing any more once it is destroyed', async () => {
  await start()
  for (const milliseconds of [0, 5, 30, 300]) {
    const dialled = dial('turn:turn.example')
    world.run(milliseconds)
    const before = dialled.events.length
    dialled.connection.destroy()
    world.run(10_000)
    expect(dialled.events).toHaveLength(before)
  }
})

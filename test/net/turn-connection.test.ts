import { afterEach, describe, expect, it } from 'vitest'
import { TurnWorld } from '../support/turn-world.ts'

const transports = ['udp', 'tcp', 'tls'] as const

let world: TurnWorld

afterEach(() => world.close())

describe.each(transports)('a TURN client over %s', (transport) => {
  async function start(...config: Parameters<TurnWorld['start']>): Promise<TurnWorld> {
    world = new TurnWorld(transport)
    await world.start(...config)
    return world
  }

  it('allocates, and learns its own address as the server sees it', async () => {
    await start()
    const client = world.open()
    expect(client.events).toEqual([])
    client.until('allocated')
    expect(client.relayed.ip).toBe(world.serverHost.address(0).ip)
    expect(client.connection.allocation?.mapped?.ip).toBe(world.nat.addresses[0]?.ip)
    expect(client.connection.roundTripMs()).toBe(40)
  })

  it('exchanges data with a client of the same server', async () => {
    await start()
    const [one, two] = [world.open(), world.open()]
    one.until('allocated')
    two.until('allocated')
    one.connection.permit(two.relayed)
    two.connection.bindChannel(one.relayed)
    world.run(1000)
    one.send(two.relayed, 'over')
    two.send(one.relayed, 'and back')
    world.run(1000)
    expect(two.received).toEqual([{ from: `${one.relayed}`, text: 'over' }])
    expect(one.received).toEqual([{ from: `${two.relayed}`, text: 'and back' }])
  })

  it('keeps allocation, permission and channel for two hours', async () => {
    await start()
    const client = world.open()
    const peer = world.peer()
    const other = world.peer()
    client.connection.bindChannel(peer.address)
    client.connection.permit(other.address)
    world.run(7_200_000)
    expect(client.types.sort()).toEqual([
      'allocated',
      'channel-bound',
      'permission-installed',
      'permission-installed',
    ])
    client.send(peer.address, 'still there?')
    client.send(other.address, 'still there?')
    world.run(1000)
    expect(client.received).toHaveLength(2)
  })

  it('relays in both families when it has asked for both', async () => {
    world = new TurnWorld(transport, ['IPv4', 'IPv6'])
    const relayAddresses = [world.serverHost.address(0, 'IPv4'), world.serverHost.address(0, 'IPv6')]
    await world.start({ relayAddresses })
    const client = world.open({ family: 'both' })
    const peers = [world.peer('IPv4'), world.peer('IPv6')]
    for (const peer of peers) client.connection.bindChannel(peer.address)
    client.until('channel-bound', 2)
    expect(client.connection.allocation?.relayed.map(({ family }) => family).sort()).toEqual(['IPv4', 'IPv6'])
    for (const peer of peers) client.send(peer.address, 'hello')
    world.run(1000)
    expect(client.received.map(({ from }) => from).sort()).toEqual(
      peers.map(({ address }) => `${address}`).sort(),
    )
    world.run(3_600_000)
    expect(client.types).not.toContain('allocation-lost')
    client.connection.close()
    client.until('closed')
    expect(world.server?.counters.allocations).toBe(0)
  })

  it('takes its allocation along to another port of ours', async () => {
    await start({ mobility: true })
    const client = world.open({ mobility: true })
    const peer = world.peer()
    client.connection.bindChannel(peer.address)
    client.until('channel-bound')
    const { relayed } = client
    const { local } = client.connection
    client.connection.move()
    client.until('moved')
    expect(client.connection.local).not.toEqual(local)
    expect(client.relayed).toEqual(relayed)
    client.send(peer.address, 'from elsewhere')
    world.until(() => client.received.length > 0)
    expect(world.server?.counters.allocationsCreated).toBe(1)
    client.connection.move()
    client.until('moved', 2)
    client.connection.close()
    client.until('closed')
    world.run(1000)
    expect(world.server?.counters.allocations).toBe(0)
  })

  it('leaves no allocation behind when it is closed on the move', async () => {
    await start({ mobility: true })
    for (let milliseconds = 0; milliseconds <= 240; milliseconds += 16) {
      const client = world.open({ mobility: true })
      client.until('allocated')
      client.connection.move()
      world.run(milliseconds)
      client.connection.close()
      client.until('closed')
      world.run(1000)
      expect(world.server?.counters.allocations).toBe(0)
    }
  })

  it('fails with 440 when the server does not relay in the family', async () => {
    await start()
    const client = world.open({ family: 'IPv6' })
    expect(client.until('failed')).toMatchObject({ failure: { type: 'rejected', code: 440 } })
  })

  it('closes clean: no allocation on the server, and nothing left to happen', async () => {
    await start()
    const client = world.open()
    client.until('allocated')
    client.connection.close()
    client.until('closed')
    world.run(1000)
    expect(world.server?.counters.allocations).toBe(0)
    expect(client.connection.local).toBeUndefined()
    expect(client.types).toEqual(['allocated', 'closed'])
    world.close()
    expect(world.internet.run({ for: 1_000_000 })).toBe(true)
  })

  it('closes clean whenever it is closed', async () => {
    await start()
    for (let milliseconds = 0; milliseconds <= 160; milliseconds += 8) {
      const client = world.open()
      world.run(milliseconds)
      client.connection.close()
      client.until('closed')
      world.run(1000)
      expect(world.server?.counters.allocations).toBe(0)
      expect(client.types.at(-1)).toBe('closed')
    }
  })

  it('says nothing any more once it is destroyed', async () => {
    await start()
    const client = world.open()
    client.until('allocated')
    client.connection.destroy()
    world.run(1_000_000)
    expect(client.types).toEqual(['allocated'])
  })

  it('makes another allocation when the server has started again', async () => {
    await start()
    const client = world.open()
    client.until('allocated')
    world.close()
    await world.start()
    client.until('allocated', 2)
    expect(client.types).toEqual(['allocated', 'allocation-lost', 'allocated'])
  })

  it('fails by its deadline when the server is silent', async () => {
    world = new TurnWorld(transport)
    world.internet.intercept(() => false)
    const client = world.open({ allocateDeadlineMs: 3000 })
    expect(client.until('failed')).toEqual({ type: 'failed', failure: { type: 'deadline-exceeded' } })
    expect(world.internet.now).toBe(3000)
  })
})

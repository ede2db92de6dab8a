/** Clients that come to one engine with what another has given them: threads of one server, in simulated time. */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { releaseAllPorts } from '../../src/turn/port-pool.ts'
import { EnginePair } from '../support/engine-pair.ts'
import {
  codeOf,
  peerA,
  peerB,
  relayAddress,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const pair: Attribute = ['EVEN-PORT', { reserveNext: true }]

function reservePair(client: TurnClient): { port: number; token: Uint8Array } {
  const answer = client.request('Allocate', [udp, pair])
  return {
    port: answer.get('XOR-RELAYED-ADDRESS')!.port,
    token: answer.get('RESERVATION-TOKEN')!.slice(),
  }
}

function redeem(client: TurnClient, token: Uint8Array) {
  return client.request('Allocate', [udp, ['RESERVATION-TOKEN', token]])
}

describe('A RESERVATION-TOKEN of another engine', () => {
  it('gives the reserved port, which the other one has closed', () => {
    const { here, there, fetched } = new EnginePair()
    const { port, token } = reservePair(here.client())
    const answer = redeem(there.client(), token)
    expect(answer.get('XOR-RELAYED-ADDRESS')?.port).toBe(port + 1)
    expect([...here.relaySockets.values()].map((local) => local.port)).toEqual([port])
    expect([...there.relaySockets.values()].map((local) => local.port)).toEqual([port + 1])
    expect(here.server.holdings.reservations + there.server.holdings.reservations).toBe(0)
    expect(fetched).toEqual(['reservation'])
  })

  it('is good once, for either engine', () => {
    const { here, there } = new EnginePair()
    const { token } = reservePair(here.client())
    redeem(there.client(), token)
    expect(codeOf(redeem(there.client(), token))).toBe(508)
    expect(codeOf(redeem(here.client(), token))).toBe(508)
  })

  it('is not good after its time, nor if it was never given', () => {
    const engines = new EnginePair()
    const { token } = reservePair(engines.here.client())
    engines.elapse(31)
    expect(codeOf(redeem(engines.there.client(), token))).toBe(508)
    expect(codeOf(redeem(engines.there.client(), Uint8Array.of(2, 2, 3, 4, 5, 6, 7, 8)))).toBe(508)
    expect(codeOf(redeem(engines.there.client(), Uint8Array.of(99, 2, 3, 4, 5, 6, 7, 8)))).toBe(508)
  })

  it('is answered 508 when another program has taken the port in between, and nothing is left of it', () => {
    const { here, there } = new EnginePair()
    const { token } = reservePair(here.client())
    there.bindPolicy = () => 'EADDRINUSE'
    expect(codeOf(redeem(there.client(), token))).toBe(508)
    expect(there.server.holdings).toMatchObject({ allocations: 0, relaySockets: 0, reservations: 0 })
    expect(here.server.holdings.ports).toBe(1)
  })

  it('brings a mobile client its ticket', () => {
    const { here, there } = new EnginePair({ mobility: true })
    const { token } = reservePair(here.client())
    const answer = there.client().request('Allocate', [udp, ['RESERVATION-TOKEN', token], wantsTicket])
    expect(answer.get('MOBILITY-TICKET')).toHaveLength(32)
  })

  it('is answered once, however often it is asked for while the answer is under way', () => {
    const engines = new EnginePair()
    const { port, token } = reservePair(engines.here.client())
    const { client, bytes } = waiting(engines, token)
    expect(client.exchange(bytes)).toBeUndefined()
    engines.answer()
    expect(client.lastAnswer()?.get('XOR-RELAYED-ADDRESS')?.port).toBe(port + 1)
    expect(engines.fetched).toEqual(['reservation'])
  })

  it('goes on being reserved when the connection of who has asked is gone before the answer', () => {
    const engines = new EnginePair()
    const { here, there } = engines
    const { port, token } = reservePair(here.client())
    const { client } = waiting(engines, token, there.streamClient())
    there.server.streamClosed(client.socket, client.address)
    engines.answer()
    expect(there.server.holdings).toMatchObject({ allocations: 0, clients: 0, reservations: 1 })
    expect(there.outputs.some(({ type }) => type === 'allocation-created')).toBe(false)
    expect(there.client().allocate([['RESERVATION-TOKEN', token]]).port).toBe(port + 1)
  })
})

/** A client that has shown the token of the other engine, which has not answered yet. */
function waiting(engines: EnginePair, token: Uint8Array, client = engines.there.client()) {
  client.nonce = client.challenge()
  const bytes = client.encode('Allocate', [udp, ['RESERVATION-TOKEN', token]])
  engines.holdsAnswers = true
  expect(client.exchange(bytes)).toBeUndefined()
  return { client, bytes }
}

const wantsTicket: Attribute = ['MOBILITY-TICKET', new Uint8Array(0)]

function mobile(harness: TurnHarness) {
  const client = harness.client()
  const answer = client.request('Allocate', [udp, wantsTicket])
  const relayed = answer.get('XOR-RELAYED-ADDRESS')!
  const ticket = answer.get('MOBILITY-TICKET')!.slice()
  client.bindChannel(0x4000, peerA)
  client.permit(peerB)
  return { client, relayed, ticket }
}

function resume(client: TurnClient, ticket: Uint8Array) {
  return client.request('Refresh', [['MOBILITY-TICKET', ticket]])
}

describe('A MOBILITY-TICKET of another engine', () => {
  it('brings the allocation along: address, permissions, channels, what it has relayed', () => {
    const { here, there } = new EnginePair({ mobility: true })
    const { client, relayed, ticket } = mobile(here)
    client.sendChannelData(0x4000, text('one'))
    const away = there.client()
    const answer = resume(away, ticket)
    expect(codeOf(answer)).toBeUndefined()
    expect(answer.get('MOBILITY-TICKET')).toHaveLength(32)
    expect(here.server.holdings).toMatchObject({ allocations: 0, relaySockets: 0, mobileAllocations: 0 })
    // The first data from there shows that the client is there.
    expect(away.sendChannelData(0x4000, text('two'))?.destination).toBe(peerA.toString())
    expect(there.outputs.map(({ type }) => type)).toContain('allocation-moved')
    const socket = away.relaySocketAt(relayed)
    expect(there.fromPeer(socket, peerA, text('back'))?.destination).toBe(away.address.toString())
    expect(there.fromPeer(socket, peerB, text('back'))?.destination).toBe(away.address.toString())
    expect(there.server.allocations()).toMatchObject([{ packetsFromClient: 2, bytesFromClient: 6 }])
    expect(away.request('Refresh', [['LIFETIME', 0]]).get('LIFETIME')).toBe(0)
    expect(there.server.holdings).toMatchObject({ allocations: 0, permissions: 0, channels: 0, ports: 0 })
  })

  it('is answered the same again, and moves back with the next ticket', () => {
    const { here, there } = new EnginePair({ mobility: true })
    const { ticket } = mobile(here)
    const away = there.client()
    away.nonce = away.challenge()
    const bytes = away.encode('Refresh', [['MOBILITY-TICKET', ticket]])
    const first = away.exchange(bytes)!
    const next = first.get('MOBILITY-TICKET')!.slice()
    expect(away.exchange(bytes)!.get('MOBILITY-TICKET')).toEqual(next)
    away.sendChannelData(0x4000, text('x'))
    const home = here.client()
    expect(codeOf(resume(home, next))).toBeUndefined()
    expect(here.server.holdings.allocations).toBe(1)
    expect(there.server.holdings).toMatchObject({ allocations: 0, mobileAllocations: 0 })
    expect(codeOf(resume(away, ticket))).toBe(437)
  })

  it('keeps the time that permissions, channels and the allocation had left', () => {
    const engines = new EnginePair({ mobility: true })
    const { here, there } = engines
    const { relayed, ticket } = mobile(here)
    engines.elapse(200)
    const away = there.client()
    resume(away, ticket)
    away.sendChannelData(0x4000, text('x'))
    const socket = away.relaySocketAt(relayed)
    engines.elapse(99)
    expect(there.fromPeer(socket, peerB, text('in time'))).toBeDefined()
    engines.elapse(2)
    expect(there.fromPeer(socket, peerB, text('too late'))).toBeUndefined()
  })

  it('is not for another user, nor good once it has been used; the allocation stays where it is', () => {
    const { here, there } = new EnginePair({ mobility: true })
    const { client, ticket } = mobile(here)
    expect(codeOf(resume(there.client('bob', 'builder'), ticket))).toBe(441)
    const near = here.client()
    expect(codeOf(resume(near, ticket))).toBeUndefined()
    expect(codeOf(resume(there.client(), ticket))).toBe(400)
    expect(here.server.holdings.allocations).toBe(1)
    expect(client.sendChannelData(0x4000, text('x'))?.destination).toBe(peerA.toString())
  })

  it('brings along the allocation of a client that was connected by TCP', () => {
    const { here, there } = new EnginePair({ mobility: true })
    const client = here.streamClient()
    const answer = client.request('Allocate', [udp, wantsTicket])
    const relayed = answer.get('XOR-RELAYED-ADDRESS')!
    client.permit(peerB)
    const away = there.client()
    resume(away, answer.get('MOBILITY-TICKET')!.slice())
    // There is no connection to send to there: the move is complete at once.
    const socket = away.relaySocketAt(relayed)
    expect(there.fromPeer(socket, peerB, text('x'))?.destination).toBe(away.address.toString())
  })
})

const external = TransportAddress.of('203.0.113.77', 0)
const inside = TransportAddress.of('10.0.0.7', 0)
const behindNat = {
  relays: [{ address: inside, external }],
  ownAddresses: [inside.withPort(3478)],
}

describe('Traffic between clients of two engines', () => {
  it('goes to where the other one has bound its relay socket', () => {
    const { here, there } = new EnginePair()
    const a = here.client()
    const b = there.client()
    const relayedA = a.allocate()
    const relayedB = b.allocate()
    a.permit(relayedB)
    b.permit(relayedA)
    const sent = a.sendIndication(relayedB, text('hello'))
    expect(sent).toMatchObject({ socket: a.relaySocketAt(relayedA), destination: relayedB.toString() })
    const arrived = there.fromPeer(b.relaySocketAt(relayedB), relayedA, text('hello'))
    expect(arrived?.destination).toBe(b.address.toString())
  })

  it('knows the other client by its external address, and uses the internal one on the way', () => {
    const { here, there } = new EnginePair(behindNat)
    const a = here.client()
    const b = there.client()
    const relayedA = a.allocate()
    const relayedB = b.allocate()
    expect(relayedB.ip).toBe(external.ip)
    a.bindChannel(0x4001, relayedB)
    b.bindChannel(0x4002, relayedA)
    const insideOf = ({ port }: TransportAddress) => inside.withPort(port)
    expect(a.sendChannelData(0x4001, text('hello'))?.destination).toBe(insideOf(relayedB).toString())
    const socket = [...there.relaySockets].find(([, local]) => local.port === relayedB.port)![0]
    const arrived = there.fromPeer(socket, insideOf(relayedA), text('hello'))
    expect(arrived).toMatchObject({ destination: b.address.toString() })
    expect(arrived?.bytes.subarray(0, 4)).toEqual(Uint8Array.of(0x40, 0x02, 0, 5))
  })

  it('needs a permission at the other engine too', () => {
    const { here, there } = new EnginePair(behindNat)
    const a = here.client()
    const b = there.client()
    const [relayedA, relayedB] = [a.allocate(), b.allocate()]
    a.permit(relayedB)
    expect(a.sendIndication(relayedB, text('unwanted'))).toBeDefined()
    const socket = b.relaySocketAt(relayedB)
    expect(there.fromPeer(socket, inside.withPort(relayedA.port), text('unwanted'))).toBeUndefined()
    expect(there.server.counters.drops['no-permission']).toBe(1)
  })

  it('does not go to ports of this host that no client has', () => {
    const { here, there } = new EnginePair()
    const a = here.client()
    a.allocate()
    const b = there.client()
    const relayedB = b.allocate()
    a.permit(relayedB)
    b.request('Refresh', [['LIFETIME', 0]])
    expect(a.sendIndication(relayedB, text('hello'))).toBeUndefined()
    expect(here.server.counters.drops['peer-forbidden']).toBe(1)
  })

  it('does not go to a port whose socket the other engine has not got yet', () => {
    const { here, there } = new EnginePair({ relayPorts: { min: 50_000, max: 50_001 } })
    const a = here.client()
    const { port } = a.allocate()
    there.bindPolicy = () => 'later'
    const b = there.client()
    b.nonce = b.challenge()
    b.exchange(b.encode('Allocate', [udp]))
    const taken = relayAddress.withPort(port === 50_000 ? 50_001 : 50_000)
    a.permit(taken)
    expect(a.sendIndication(taken, text('hello'))).toBeUndefined()
  })
})

describe('The relay ports of two engines', () => {
  it('are one pool: each port is given once, and 508 says that both have taken all', () => {
    const { here, there } = new EnginePair({ relayPorts: { min: 50_000, max: 50_005 } })
    const ports: number[] = []
    for (let i = 0; i < 3; i++)
      for (const harness of [here, there]) ports.push(harness.client().allocate().port)
    expect(ports.sort()).toEqual([50_000, 50_001, 50_002, 50_003, 50_004, 50_005])
    expect(codeOf(here.client().request('Allocate', [udp]))).toBe(508)
    expect(codeOf(there.client().request('Allocate', [udp]))).toBe(508)
  })

  it('are free again when the engine that had them has died', () => {
    const { here, there, shared } = new EnginePair({ relayPorts: { min: 50_000, max: 50_003 } })
    for (let i = 0; i < 3; i++) here.client().allocate()
    there.client().allocate()
    for (const ports of shared.relayPorts) releaseAllPorts(ports, 2)
    for (let i = 0; i < 3; i++) there.client().allocate()
    expect(codeOf(there.client().request('Allocate', [udp]))).toBe(508)
  })
})

describe('A server that retires', () => {
  it('refuses new allocations, and serves those that there are', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const { token } = reservePair(client)
    harness.server.retire()
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(508)
    expect(client.request('Refresh').get('LIFETIME')).toBe(600)
    expect(codeOf(client.bindChannel(0x4000, peerA))).toBeUndefined()
    // What has been reserved belongs to a call that goes on.
    expect(codeOf(redeem(harness.client(), token))).toBeUndefined()
  })
})

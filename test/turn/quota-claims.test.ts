import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { ServerOutput } from '../../src/turn/outputs.ts'
import type { QuotaDecision } from '../../src/turn/quota-claims.ts'
import { numbersPerRate, prefixBudgets, type SharedState } from '../../src/turn/shared-state.ts'
import { codeOf, peerA, type TurnClient, TurnHarness } from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const granted: QuotaDecision = { isGranted: true, rateSlot: undefined }
const refused: QuotaDecision = { isGranted: false }

type Claim = Extract<ServerOutput, { type: 'claim-quota' }>

function newShared(): SharedState {
  return {
    prefixes: new Float64Array(prefixBudgets),
    prefixSeed: 7,
    rates: new Float64Array(3 * numbersPerRate),
    relayPorts: [],
    ticketKeys: new Uint8Array(64),
  }
}

function setUp(options: ConstructorParameters<typeof TurnHarness>[0] = {}) {
  const harness = new TurnHarness({ shared: newShared(), userQuota: 5, ...options })
  const claims = () => harness.outputs.filter((output): output is Claim => output.type === 'claim-quota')
  const returned = () =>
    harness.outputs.flatMap((output) =>
      output.type === 'return-quota' ? [[output.userId, output.count]] : [],
    )
  /** Sends an Allocate, for which the engine asks. */
  const ask = (client: TurnClient, attributes: readonly Attribute[] = []): Claim => {
    client.nonce ??= client.challenge()
    expect(client.exchange(client.encode('Allocate', [udp, ...attributes]))).toBeUndefined()
    const [claim] = claims()
    return claim!
  }
  const tell = ({ claim, userId, count }: Claim, decision: QuotaDecision) => {
    harness.takeOutputs()
    harness.server.quotaDecided(claim, userId, count, decision, harness.now)
    harness.drain()
  }
  return { harness, claims, returned, ask, tell }
}

describe('An engine whose quotas are counted elsewhere', () => {
  it('asks before it binds, binds when it is told yes, and gives back at the end', () => {
    const { harness, returned, ask, tell } = setUp()
    const client = harness.client()
    const claim = ask(client)
    expect(claim).toMatchObject({ userId: 'alice', count: 1 })
    expect(harness.outputs.map(({ type }) => type)).toEqual(['claim-quota'])
    tell(claim, granted)
    expect(harness.outputs.map(({ type }) => type)).toEqual(['bind-relay', 'allocation-created', 'transmit'])
    expect(client.lastAnswer()?.class).toBe('success')
    client.request('Refresh', [['LIFETIME', 0]])
    expect(returned()).toEqual([['alice', 1]])
  })

  it('answers 486 when it is told no, and the client may ask again', () => {
    const { harness, ask, tell } = setUp()
    const client = harness.client()
    tell(ask(client), refused)
    expect(codeOf(client.lastAnswer())).toBe(486)
    expect(harness.relaySockets.size).toBe(0)
    tell(ask(client), granted)
    expect(client.lastAnswer()?.class).toBe('success')
  })

  it('asks once, however often the request is sent, and answers once', () => {
    const { harness, claims, tell } = setUp()
    const client = harness.client()
    client.nonce = client.challenge()
    const allocate = client.encode('Allocate', [udp])
    harness.takeOutputs()
    for (let i = 0; i < 3; i++)
      harness.handle({ socket: client.socket, source: client.address, bytes: allocate })
    expect(claims()).toHaveLength(1)
    tell(claims()[0]!, granted)
    expect(client.lastAnswer()?.class).toBe('success')
    expect(client.exchange(allocate)?.class).toBe('success')
  })

  it('gives back what it is granted when the client has gone away meanwhile', () => {
    const { harness, returned, ask, tell } = setUp()
    const client = harness.streamClient()
    const claim = ask(client)
    harness.server.streamClosed(client.socket, client.address)
    harness.takeOutputs()
    tell(claim, granted)
    expect(harness.outputs).toEqual([{ type: 'return-quota', userId: 'alice', count: 1 }])
    expect(returned()).toHaveLength(1)
  })

  it('gives back nothing that it was not granted', () => {
    const { harness, ask, tell } = setUp()
    const client = harness.streamClient()
    const claim = ask(client)
    harness.server.streamClosed(client.socket, client.address)
    tell(claim, refused)
    expect(harness.outputs).toEqual([])
  })

  it('gives back what it holds when no relay socket could be bound', () => {
    const { harness, returned, ask, tell } = setUp()
    harness.bindPolicy = () => 'EMFILE'
    const client = harness.client()
    tell(ask(client), granted)
    expect(codeOf(client.lastAnswer())).toBe(508)
    expect(returned()).toEqual([['alice', 1]])
  })

  it('asks for two where the next port is reserved; who redeems it as the same user asks for nothing', () => {
    const { harness, claims, returned, ask, tell } = setUp()
    const client = harness.client()
    const claim = ask(client, [['EVEN-PORT', { reserveNext: true }]])
    expect(claim.count).toBe(2)
    tell(claim, granted)
    const token: Attribute = ['RESERVATION-TOKEN', client.lastAnswer()!.get('RESERVATION-TOKEN')!.slice()]
    const second = harness.client()
    expect(second.request('Allocate', [udp, token]).class).toBe('success')
    expect(claims()).toEqual([])
    second.request('Refresh', [['LIFETIME', 0]])
    expect(returned()).toEqual([['alice', 1]])
  })

  it('asks for another user who redeems it, and lets go of what the first one held', () => {
    const { harness, returned, ask, tell } = setUp()
    const client = harness.client()
    tell(ask(client, [['EVEN-PORT', { reserveNext: true }]]), granted)
    const token: Attribute = ['RESERVATION-TOKEN', client.lastAnswer()!.get('RESERVATION-TOKEN')!.slice()]
    const bob = harness.client('bob', 'builder')
    // Refused: the token is good as long as it was, and for once.
    tell(ask(bob, [token]), refused)
    expect(codeOf(bob.lastAnswer())).toBe(486)
    const claim = ask(bob, [token])
    expect(claim.userId).toBe('bob')
    expect(codeOf(harness.client('bob', 'builder').request('Allocate', [udp, token]))).toBe(508)
    tell(claim, granted)
    expect(bob.lastAnswer()?.class).toBe('success')
    expect(returned()).toEqual([['alice', 1]])
  })

  it('asks for nothing where there is nothing to be limited', () => {
    const { harness, claims } = setUp({ userQuota: 0, totalMaxBytesPerSecond: 1000 })
    harness.client().allocate()
    expect(claims()).toEqual([])
  })

  it('ends with claims that nobody has decided', () => {
    const { harness, ask, tell, returned } = setUp()
    const claim = ask(harness.client())
    harness.server.closeAll()
    harness.drain()
    tell(claim, granted)
    expect(returned()).toEqual([['alice', 1]])
  })
})

describe('Engines with shared memory', () => {
  const packet = new Uint8Array(1000)

  /** Allocates, with the rate of its user kept in that slot. */
  function flow(harness: TurnHarness, slot: number | undefined): () => boolean {
    const client = harness.client()
    client.nonce = client.challenge()
    client.exchange(client.encode('Allocate', [udp]))
    const claim = harness.outputs.find((output): output is Claim => output.type === 'claim-quota')
    if (claim !== undefined) {
      harness.server.quotaDecided(claim.claim, 'alice', 1, { isGranted: true, rateSlot: slot }, harness.now)
      harness.drain()
    }
    client.bindChannel(0x4000, peerA)
    return () => client.sendChannelData(0x4000, packet) !== undefined
  }

  it.each([
    ['a user', { userMaxBytesPerSecond: 10_000 }],
    ['all', { totalMaxBytesPerSecond: 10_000 }],
  ])('keep one rate of %s together', (_whose, limits) => {
    const shared = newShared()
    const flows = [1, 2].map((seed) => flow(new TurnHarness({ shared, ...limits }, seed), 1))
    const sent = Array.from({ length: 30 }, (_, i) => flows[i % 2]!()).filter((went) => went)
    expect(sent).toHaveLength(10)
  })

  it('keep apart what has no place in it', () => {
    const shared = newShared()
    const flows = [1, 2].map((seed) =>
      flow(new TurnHarness({ shared, userMaxBytesPerSecond: 10_000 }, seed), undefined),
    )
    const sent = Array.from({ length: 60 }, (_, i) => flows[i % 2]!()).filter((went) => went)
    expect(sent).toHaveLength(20)
  })

  it('keep one budget of a prefix together', () => {
    const shared = newShared()
    const harnesses = [1, 2].map((seed) => new TurnHarness({ shared, unauthenticatedRate: 10 }, seed))
    const address = harnesses[0]!.newAddress()
    let answers = 0
    for (let i = 0; i < 100; i++) {
      const client = harnesses[i % 2]!.client('alice', 'wonder', address.withPort(1024 + i))
      if (client.exchange(client.encode('Allocate', [udp], { unauthenticated: true })) !== undefined)
        answers++
    }
    expect(answers).toBe(21)
  })
})

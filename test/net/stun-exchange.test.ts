import { afterEach, expect, it } from 'vitest'
import {
  exchangeStun,
  type StunExchangeOptions,
  type StunExchangeResult,
} from '../../src/net/stun-exchange.ts'
import { TurnWorld } from '../support/turn-world.ts'

let world: TurnWorld

afterEach(() => world.close())

function exchange(options: Partial<StunExchangeOptions> = {}): StunExchangeResult {
  let result: StunExchangeResult | undefined
  exchangeStun(world.clientHost, { transport: 'udp', server: world.serverAddress, ...options }, (answer) => {
    if (result !== undefined) throw new Error('called back twice')
    result = answer
  })
  expect(result).toBeUndefined()
  world.until(() => result !== undefined)
  const end = result!
  world.run(100_000)
  return end
}

it('learns the mapped address', async () => {
  world = new TurnWorld('udp')
  await world.start()
  const result = exchange()
  expect(result).toMatchObject({
    type: 'answered',
    roundTripMs: 40,
    elapsedMs: 40,
    source: world.serverAddress,
  })
  expect(result.type === 'answered' && result.mapped?.ip).toBe(world.nat.addresses[0]?.ip)
})

it('is answered with the credentials that the server asks for', async () => {
  world = new TurnWorld('udp')
  await world.start()
  const credentials = { type: 'long-term', username: 'alice', password: 'wonder' } as const
  const result = exchange({ method: 'Allocate', attributes: [['REQUESTED-TRANSPORT', 17]], credentials })
  expect(result.type === 'answered' && result.response.get('LIFETIME')).toBe(600)
})

it('fails with what the server said', async () => {
  world = new TurnWorld('udp')
  await world.start()
  expect(exchange({ method: 'Allocate' })).toMatchObject({
    type: 'failed',
    failure: { type: 'rejected', code: 401 },
  })
})

it('fails when nobody answers, by the protocol or by the deadline', () => {
  world = new TurnWorld('udp')
  expect(exchange()).toEqual({ type: 'failed', failure: { type: 'timed-out' }, elapsedMs: 39_500 })
  expect(exchange({ deadlineMs: 1234 })).toEqual({
    type: 'failed',
    failure: { type: 'timed-out' },
    elapsedMs: 1234,
  })
})

it.each(['tcp', 'tls'] as const)('fails at once when nobody listens for %s', (transport) => {
  world = new TurnWorld(transport)
  expect(exchange({ transport, serverName: 'turn.example.org' })).toEqual({
    type: 'failed',
    failure: { type: 'transport-failed', reason: 'ECONNREFUSED' },
    elapsedMs: 40,
  })
})

it('is never called back after it was cancelled', async () => {
  world = new TurnWorld('udp')
  await world.start()
  for (const milliseconds of [0, 10, 39]) {
    const cancel = exchangeStun(world.clientHost, { transport: 'udp', server: world.serverAddress }, () => {
      throw new Error('called back')
    })
    world.run(milliseconds)
    cancel()
    world.run(100_000)
  }
})

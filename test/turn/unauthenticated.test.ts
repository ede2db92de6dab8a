import { describe, expect, it } from 'vitest'
import { instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { NoticeThrottle } from '../../src/turn/notice-throttle.ts'
import type { Notice } from '../../src/turn/outputs.ts'
import { PrefixLimiter } from '../../src/turn/prefix-limiter.ts'
import { RawClient } from '../support/signing.ts'
import { codeOf, realm, TurnHarness, text } from '../support/turn-harness.ts'

const victim = TransportAddress.of('203.0.113.77', 5000)

/** How many of `count` requests that name this source are answered. */
function answersTo(
  harness: TurnHarness,
  count: number,
  addressOf: (i: number) => TransportAddress,
  binding = false,
) {
  let answers = 0
  for (let i = 0; i < count; i++) {
    const client = new RawClient(harness, addressOf(i))
    const answer = binding
      ? client.exchange(
          encodeMessage({
            class: 'request',
            method: 'Binding',
            transactionId: text('transaction!'),
            attributes: [],
          }),
        )
      : client.send({})
    if (answer !== undefined) answers++
  }
  return answers
}

describe('Unauthenticated answers to one source', () => {
  it.each([false, true])(
    'are limited, whatever the port; beyond it there is silence (Binding: %s)',
    (binding) => {
      const harness = new TurnHarness({ unauthenticatedRate: 10 })
      const answers = answersTo(harness, 500, (i) => victim.withPort(1024 + i), binding)
      expect(answers).toBe(21)
      expect(harness.server.counters.answersWithheld).toBe(479)
      expect(answersTo(harness, 5, () => TransportAddress.of('203.0.113.78', 5000), binding)).toBe(5)
      harness.elapse(1)
      expect(answersTo(harness, 500, () => victim, binding)).toBe(10)
    },
  )

  it('are counted by /64', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 10 })
    expect(answersTo(harness, 100, (i) => TransportAddress.of(`2001:db8:7::${i + 1}`, 5000))).toBe(21)
    expect(answersTo(harness, 5, (i) => TransportAddress.of(`2001:db8:8::${i + 1}`, 5000))).toBe(5)
  })

  it('have no limit where none is asked for', () => {
    expect(answersTo(new TurnHarness(), 1000, () => victim)).toBe(1000)
  })

  it('are never held back from a client with a valid nonce', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 10 })
    const client = new RawClient(harness, victim)
    const nonce = client.challenge().get('NONCE')!
    answersTo(harness, 500, (i) => victim.withPort(1024 + i))
    expect(client.send({})).toBeUndefined()
    const attributes: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', realm],
      ['NONCE', nonce],
    ]
    for (let i = 0; i < 50; i++) {
      const answer = client.send({ attributes, integrity: [{ algorithm: 'sha1', key: text('wrong') }] })
      expect(codeOf(answer)).toBe(401)
    }
    const alice = harness.client('alice', 'wonder', victim)
    alice.nonce = nonce
    alice.allocate()
    // Nor is a Binding from the five-tuple of an allocation.
    expect(answersTo(harness, 50, () => victim, true)).toBe(50)
  })

  it('take the same memory for a million sources, and no source gets a fresh budget by it', () => {
    const limiter = new PrefixLimiter(10, 1)
    const now = instant(0)
    const source = TransportAddress.of('192.0.2.1', 0)
    while (limiter.admit(source, now));
    for (let i = 0; i < 1_000_000; i++) limiter.admit({ a: 0, b: 0, c: 0xffff, d: i << 8 }, now)
    expect(limiter.admit(source, now)).toBe(false)
    expect(limiter.admit(source, later(now, 101))).toBe(true)
  })

  it('are told of once a minute when they are held back, however many', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 1 })
    const notices = () => noticesOf(harness, () => answersTo(harness, 100, () => victim))
    expect(notices()).toEqual([{ type: 'answers-withheld', source: victim, times: 1 }])
    harness.elapse(59)
    expect(notices()).toEqual([])
    harness.elapse(1)
    const [again] = notices()
    expect(again?.times).toBeGreaterThan(150)
  })
})

describe('A failed authentication', () => {
  const failing = (client: RawClient, nonce: string, name = 'alice', realmName = realm) =>
    client.send({
      attributes: [
        ['USERNAME', name],
        ['REALM', realmName],
        ['NONCE', nonce],
      ],
      integrity: [{ algorithm: 'sha1', key: text('wrong') }],
    })

  it.each([
    ['alice', realm, 'wrong-password'],
    ['mallory', realm, 'unknown-user'],
    ['alice', 'example.com', 'wrong-realm'],
  ])('of %s in %s is told with its reason: %s', (name, realmName, reason) => {
    const harness = new TurnHarness()
    const client = new RawClient(harness)
    const nonce = client.challenge().get('NONCE')!
    const notices = noticesOf(harness, () => failing(client, nonce, name, realmName))
    expect(notices).toEqual([
      { type: 'authentication-failed', source: client.address, username: name, reason, times: 1 },
    ])
    expect(harness.server.counters.authenticationFailures).toBe(1)
  })

  it('is told once a minute for each source, with how often it was since', () => {
    const harness = new TurnHarness({ nonceLifetime: 3600 })
    const clients = [new RawClient(harness, victim), new RawClient(harness, victim.withPort(6000))]
    const other = new RawClient(harness, TransportAddress.of('203.0.113.99', 5000))
    const nonceOf = new Map([...clients, other].map((client) => [client, client.challenge().get('NONCE')!]))
    const attempt = (client: RawClient) => failing(client, nonceOf.get(client)!)
    const times = (act: () => void) => noticesOf(harness, act).map((notice) => notice.times)
    expect(times(() => clients.map(attempt))).toEqual([1])
    expect(times(() => Array.from({ length: 50 }, () => clients.map(attempt)))).toEqual([])
    expect(times(() => attempt(other))).toEqual([1])
    harness.elapse(60)
    expect(times(() => attempt(clients[1]!))).toEqual([102])
  })

  it('is not told of a source that may be forged', () => {
    const harness = new TurnHarness()
    const notices = noticesOf(harness, () => {
      for (let i = 0; i < 100; i++)
        failing(new RawClient(harness, victim.withPort(1024 + i)), 'no nonce of ours')
    })
    expect(notices).toEqual([])
  })

  it('is not what a client does that has no credentials yet, or an old nonce', () => {
    const harness = new TurnHarness({ nonceLifetime: 10 })
    const alice = harness.client()
    const notices = noticesOf(harness, () => {
      alice.allocate()
      harness.elapse(11)
      expect(codeOf(alice.request('Refresh'))).toBe(438)
    })
    expect(notices).toEqual([])
  })

  it('gives, of a name that nobody has, 64 characters at most, as they came', () => {
    const harness = new TurnHarness()
    const client = new RawClient(harness)
    const nonce = client.challenge().get('NONCE')!
    const long = 'x\r\n"%s\u001b'.padEnd(500, 'y')
    const [notice] = noticesOf(harness, () => failing(client, nonce, long))
    expect(notice?.type === 'authentication-failed' && notice.username).toBe(long.slice(0, 64))
  })
})

describe('A throttle of notices', () => {
  it('has room for as many prefixes as it has slots, and shares where it has not', () => {
    const throttle = new NoticeThrottle(4, 7)
    const now = instant(0)
    const told = Array.from({ length: 1000 }, (_, i) => throttle.count({ a: 0, b: 0, c: 0xffff, d: i }, now))
    expect(told.filter((times) => times !== undefined)).toEqual([1, 1, 1, 1])
  })
})

function noticesOf(harness: TurnHarness, act: () => unknown): Notice[] {
  const seen: Notice[] = []
  const take = harness.takeOutputs.bind(harness)
  const keep = () => {
    const outputs = take()
    for (const output of outputs) {
      if (output.type === 'authentication-failed' || output.type === 'answers-withheld') seen.push(output)
    }
    return outputs
  }
  keep()
  seen.length = 0
  harness.takeOutputs = keep
  act()
  keep()
  harness.takeOutputs = take
  return seen
}

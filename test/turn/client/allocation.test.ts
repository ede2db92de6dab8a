import { describe, expect, it } from 'vitest'
import { instant } from '../../../src/core/time.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { SeededRandom } from '../../../src/sim/seeded-random.ts'
import type { Attribute, AttributeName } from '../../../src/stun/attributes.ts'
import { longTermKeySha256, userHash } from '../../../src/stun/credentials.ts'
import { checkIntegrity } from '../../../src/stun/integrity.ts'
import type { TurnClientOptions } from '../../../src/turn/client/options.ts'
import { listening, peerA, realm } from '../../support/turn-harness.ts'
import { answer, errorAnswer, VirtualTurn } from '../../support/virtual-turn.ts'

const key = { algorithm: 'sha256', key: longTermKeySha256('alice', realm, 'wonder') } as const
const other = TransportAddress.of('198.51.100.2', 3478)

describe('an allocation', () => {
  it('is there after two round trips: the challenge, then the answer to it', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    const [event] = virtual.takeEvents()
    expect(event).toMatchObject({ type: 'allocated', allocation: { lifetime: 600, server: listening } })
    expect(virtual.client.allocation?.mapped).toEqual(virtual.clientAddress)
    expect(virtual.client.allocation?.relayed).toHaveLength(1)
    const [first, second] = virtual.requests('Allocate')
    expect(first!.has('USERNAME') || first!.has('MESSAGE-INTEGRITY')).toBe(false)
    expect(second!.get('USERHASH')).toEqual(userHash('alice', realm))
    expect(checkIntegrity(second!, key)).toBe(true)
    expect(virtual.requests('Allocate')).toHaveLength(2)
  })

  it('is asked for again when the request or the answer is lost', () => {
    const virtual = new VirtualTurn()
    let lost = 0
    virtual.loses = () => lost++ < 3
    virtual.allocate()
    virtual.elapse(5000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
  })

  it('has failed when nobody has answered for 39.5 seconds', () => {
    const virtual = new VirtualTurn()
    virtual.loses = () => true
    const begun = virtual.now
    virtual.allocate()
    virtual.elapse(38_499)
    expect(virtual.takeEvents()).toEqual([])
    virtual.elapse(1)
    expect(virtual.takeEvents()).toEqual([{ type: 'failed', failure: { type: 'timed-out' } }])
    expect(virtual.sent.map(({ at }) => at - begun)).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500])
    expect(virtual.isOpen).toBe(false)
    expect(virtual.client.pollTimeout()).toBeUndefined()
  })

  it('fails by the deadline that was given, whatever is under way', () => {
    const virtual = new VirtualTurn({ client: { allocateDeadlineMs: 5000 } })
    virtual.loses = () => true
    virtual.allocate()
    virtual.elapse(4000)
    expect(virtual.takeEvents()).toEqual([{ type: 'failed', failure: { type: 'deadline-exceeded' } }])
    expect(virtual.client.pollTimeout()).toBeUndefined()
  })

  it('is refused with 401 once when the password is wrong, and not asked for again', () => {
    const virtual = new VirtualTurn({ client: { credentials: { username: 'alice', password: 'wrong' } } })
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'failed', failure: { type: 'rejected', code: 401, reason: 'Unauthenticated' } },
    ])
    expect(virtual.requests('Allocate')).toHaveLength(2)
  })

  it('is refused with 401 when there are no credentials to show', () => {
    const virtual = new VirtualTurn({ client: { credentials: undefined } })
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { type: 'rejected', code: 401 } }])
    expect(virtual.requests('Allocate')).toHaveLength(1)
  })

  // What is left of 25 s may be less than the clock can be advanced by.
  it('reminds NATs of itself whenever it was silent for 25 s, at fractions of a millisecond too', () => {
    const random = new SeededRandom(1)
    for (let round = 0; round < 200; round++) {
      const virtual = new VirtualTurn()
      virtual.now = instant((random.fraction() * 150_000) / 3)
      virtual.allocate()
      virtual.client.permit(peerA, virtual.now)
      virtual.drain()
      virtual.elapse(500 + (random.fraction() * 15_000) / 7)
      expect(virtual.send(peerA, 'hello')).toBe(true)
      virtual.elapse(30_000)
      const gaps = virtual.sent.slice(1).map(({ at }, i) => at - virtual.sent[i]!.at)
      expect(Math.max(...gaps)).toBeCloseTo(25_000, 3)
    }
  })

  it('takes a fresh nonce when the server says that the last one is stale', () => {
    const virtual = new VirtualTurn({ server: { nonceLifetime: 100 } })
    virtual.allocate()
    virtual.elapse(300_000)
    const refreshes = virtual.requests('Refresh')
    expect(refreshes).toHaveLength(2)
    expect(refreshes[0]!.get('NONCE')).not.toBe(refreshes[1]!.get('NONCE'))
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
  })

  it('is left when every nonce is stale at once', () => {
    const virtual = new VirtualTurn()
    let count = 0
    virtual.scripts.set(listening.toString(), (bytes) => [
      errorAnswer(bytes, count++ === 0 ? 401 : 438, [
        ['REALM', realm],
        ['NONCE', `nonce${count}`],
      ]),
    ])
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { type: 'rejected', code: 438 } }])
    expect(virtual.requests('Allocate')).toHaveLength(5)
  })

  it.each([
    [403, 'Forbidden'],
    [420, 'Unknown Attribute'],
    [440, 'Address Family not Supported'],
    [441, 'Wrong Credentials'],
    [442, 'Unsupported Transport Protocol'],
    [486, 'Allocation Quota Reached'],
    [508, 'Insufficient Capacity'],
  ])('that is refused with %i fails at once, with code and reason', (code, reason) => {
    const virtual = new VirtualTurn({ client: { credentials: undefined } })
    virtual.scripts.set(listening.toString(), (bytes) => [errorAnswer(bytes, code)])
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'failed', failure: { type: 'rejected', code, reason } },
    ])
    expect(virtual.requests('Allocate')).toHaveLength(1)
    expect(virtual.isOpen).toBe(false)
  })

  it('is asked for from another port when the server says 437, three times in all', () => {
    const virtual = new VirtualTurn({ client: { credentials: undefined } })
    virtual.scripts.set(listening.toString(), (bytes) => [errorAnswer(bytes, 437)])
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { code: 437 } }])
    expect(new Set(virtual.sent.map(({ from }) => from)).size).toBe(3)
  })

  it('is had from another port when an allocation of before is still there', () => {
    const virtual = new VirtualTurn()
    const taken = virtual.harness.client('bob', 'builder', virtual.clientAddress.withPort(40_001))
    taken.allocate()
    virtual.allocate()
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
    expect(virtual.client.allocation?.mapped?.port).toBe(40_002)
  })

  it('is had from the alternate server that a 300 names', () => {
    const virtual = new VirtualTurn({ client: { server: { address: other, name: 'old.example' } } })
    virtual.scripts.set(other.toString(), (bytes) => [
      errorAnswer(bytes, 300, [['ALTERNATE-SERVER', listening]]),
    ])
    virtual.allocate()
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
    expect(virtual.client.allocation?.server).toEqual(listening)
  })

  it('is not looked for in a circle', () => {
    const virtual = new VirtualTurn({ client: { server: { address: other, name: undefined } } })
    const third = TransportAddress.of('198.51.100.3', 3478)
    for (const [from, to] of [
      [other, third],
      [third, other],
    ] as const) {
      virtual.scripts.set(from.toString(), (bytes) => [errorAnswer(bytes, 300, [['ALTERNATE-SERVER', to]])])
    }
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { type: 'bad-redirect' } }])
    expect(virtual.requests('Allocate')).toHaveLength(2)
  })

  it.each(['127.0.0.1:3478', '0.0.0.0:3478', '224.0.0.1:3478', '198.51.100.9:0'])(
    'is not looked for at %s, where no server elsewhere may send us',
    (alternate) => {
      const virtual = new VirtualTurn({ client: { server: { address: other, name: undefined } } })
      virtual.scripts.set(other.toString(), (bytes) => [
        errorAnswer(bytes, 300, [['ALTERNATE-SERVER', TransportAddress.parse(alternate)]]),
      ])
      virtual.allocate()
      expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { type: 'bad-redirect' } }])
    },
  )

  it('is taken in both families when both are asked for', () => {
    const virtual = new VirtualTurn({ client: { family: 'both', credentials: undefined } })
    const relayed = [
      TransportAddress.of('198.51.100.1', 50_000),
      TransportAddress.of('2001:db8:1::1', 50_001),
    ]
    virtual.scripts.set(listening.toString(), (bytes) => [
      answer(bytes, 'success', [
        ['XOR-RELAYED-ADDRESS', relayed[0]!],
        ['XOR-RELAYED-ADDRESS', relayed[1]!],
        ['XOR-MAPPED-ADDRESS', virtual.clientAddress],
        ['LIFETIME', 600],
      ]),
    ])
    virtual.allocate()
    expect(virtual.requests('Allocate')[0]!.get('ADDITIONAL-ADDRESS-FAMILY')).toBe('IPv6')
    expect(virtual.client.allocation?.relayed).toEqual(relayed)
  })

  it('says which family the server did not give', () => {
    const virtual = new VirtualTurn({ client: { family: 'both', credentials: undefined } })
    virtual.scripts.set(listening.toString(), (bytes) => [
      answer(bytes, 'success', [
        ['XOR-RELAYED-ADDRESS', TransportAddress.of('198.51.100.1', 50_000)],
        ['XOR-MAPPED-ADDRESS', virtual.clientAddress],
        ['LIFETIME', 600],
        ['ADDRESS-ERROR-CODE', { family: 'IPv6', code: 440, reason: '' }],
      ]),
    ])
    virtual.allocate()
    expect(virtual.client.allocation?.missing).toMatchObject({ family: 'IPv6', code: 440 })
  })

  it.each<[string, Attribute[]]>([
    ['no relayed address', [['LIFETIME', 600]]],
    [
      'a relayed address without a port',
      [
        ['XOR-RELAYED-ADDRESS', peerA.withPort(0)],
        ['LIFETIME', 600],
      ],
    ],
    ['no lifetime', [['XOR-RELAYED-ADDRESS', peerA]]],
    [
      'a lifetime of nothing',
      [
        ['XOR-RELAYED-ADDRESS', peerA],
        ['LIFETIME', 0],
      ],
    ],
  ])('that has %s is given back', (_, attributes) => {
    const virtual = new VirtualTurn({ client: { credentials: undefined } })
    virtual.scripts.set(listening.toString(), (bytes) => [answer(bytes, 'success', attributes)])
    virtual.allocate()
    expect(virtual.takeEvents()).toMatchObject([{ type: 'failed', failure: { type: 'bad-response' } }])
    expect(virtual.requests('Refresh').map((request) => request.get('LIFETIME'))).toEqual([0])
  })

  it('is asked for with what was wanted of it', () => {
    const token = new Uint8Array(8).fill(3)
    const wishes: [Partial<TurnClientOptions>, AttributeName, unknown][] = [
      [{ family: 'IPv6' }, 'REQUESTED-ADDRESS-FAMILY', 'IPv6'],
      [{ lifetime: 1800 }, 'LIFETIME', 1800],
      [{ evenPort: { reserveNext: true } }, 'EVEN-PORT', { reserveNext: true }],
      [{ reservationToken: token }, 'RESERVATION-TOKEN', token],
      [{}, 'REQUESTED-TRANSPORT', 17],
      [{}, 'SOFTWARE', 'turnpike'],
    ]
    for (const [client, name, value] of wishes) {
      const virtual = new VirtualTurn({ client })
      virtual.allocate()
      expect(virtual.requests('Allocate')[0]!.get(name)).toEqual(value)
    }
  })
})

describe('an allocation that is there', () => {
  it('is refreshed once at half its life', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.elapse(298_000)
    expect(virtual.requests('Refresh')).toHaveLength(0)
    virtual.elapse(2000)
    expect(virtual.requests('Refresh')).toHaveLength(1)
    virtual.elapse(290_000)
    expect(virtual.requests('Refresh')).toHaveLength(1)
    virtual.elapse(3_600_000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
    expect(virtual.harness.relaySockets.size).toBe(1)
  })

  it('is lost when its refresh is refused, and another one is asked for from another port', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.client.permit(peerA, virtual.now)
    virtual.drain()
    virtual.elapse(1000)
    virtual.takeEvents()
    virtual.harness.server.closeAll()
    virtual.harness.drain()
    virtual.elapse(300_000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocation-lost', failure: { type: 'rejected', code: 437 } },
      { type: 'allocated' },
    ])
    expect(virtual.client.allocation?.mapped?.port).toBe(40_002)
    expect(virtual.send(peerA, 'the permission is gone as well')).toBe(false)
  })

  it('is lost when it has expired while this machine slept', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.takeEvents()
    const sent = virtual.sent.length
    virtual.now = (virtual.now + 3_600_000) as typeof virtual.now
    virtual.elapse(1000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocation-lost', failure: { type: 'expired' } },
      { type: 'allocated' },
    ])
    expect(virtual.sent.slice(sent).every(({ from }) => from.endsWith(':40002'))).toBe(true)
  })

  it('is given up when the server does not answer any more', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.loses = () => true
    virtual.elapse(1_000_000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocated' },
      { type: 'allocation-lost', failure: { type: 'timed-out' } },
      { type: 'failed', failure: { type: 'timed-out' } },
    ])
    expect(virtual.client.pollTimeout()).toBeUndefined()
  })

  it('keeps the NAT on the way open when there is nothing to send', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    const before = virtual.sent.length
    virtual.elapse(100_000)
    expect(virtual.sent.length - before).toBe(4)
  })

  it('is deleted on the server when the client closes', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.takeEvents()
    virtual.client.close(virtual.now)
    virtual.drain()
    virtual.elapse(1000)
    expect(virtual.takeEvents()).toEqual([{ type: 'closed' }])
    expect(virtual.requests('Refresh')[0]!.get('LIFETIME')).toBe(0)
    expect(virtual.harness.relaySockets.size).toBe(0)
    expect(virtual.client.pollTimeout()).toBeUndefined()
  })

  it('closes by a deadline when the server does not answer', () => {
    const virtual = new VirtualTurn({ client: { closeDeadlineMs: 1500 } })
    virtual.allocate()
    virtual.takeEvents()
    virtual.loses = () => true
    virtual.client.close(virtual.now)
    virtual.elapse(1499)
    expect(virtual.takeEvents()).toEqual([])
    virtual.elapse(1)
    expect(virtual.takeEvents()).toEqual([{ type: 'closed' }])
    expect(virtual.client.pollTimeout()).toBeUndefined()
  })

  it.each([
    [0, 0],
    [5, 1],
    [15, 1],
    [25, 2],
    [35, 2],
  ])(
    'leaves nothing behind when it is closed %i ms into allocating, and asks no more',
    (milliseconds, asked) => {
      const virtual = new VirtualTurn()
      virtual.client.allocate(virtual.now)
      virtual.drain()
      virtual.elapse(milliseconds)
      virtual.client.close(virtual.now)
      virtual.drain()
      virtual.elapse(3000)
      expect(virtual.takeEvents()).toEqual([{ type: 'closed' }])
      expect(virtual.requests('Allocate').length).toBeLessThanOrEqual(Math.max(asked, 1))
      expect(virtual.harness.relaySockets.size).toBe(0)
      expect(virtual.isOpen).toBe(false)
    },
  )
})

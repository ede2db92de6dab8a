/** What strangers and users with bad intentions try, and what comes of it. docs/security-tests.md has the whole list. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { crcOf } from '../../src/stun/integrity.ts'
import type { MessageClass, MethodName } from '../../src/stun/methods.ts'
import { hasIntegrity, RawClient, signatureOf } from '../support/signing.ts'
import {
  codeOf,
  listener,
  listening,
  peerA,
  peerB,
  realm,
  TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const transactionId = text('transaction!')
const aliceKey = longTermKey('alice', realm, 'wonder')

/** Requests that need an allocation. */
const requests: [MethodName, Attribute[]][] = [
  ['Refresh', [['LIFETIME', 0]]],
  ['CreatePermission', [['XOR-PEER-ADDRESS', peerB]]],
  [
    'ChannelBind',
    [
      ['CHANNEL-NUMBER', 0x4001],
      ['XOR-PEER-ADDRESS', peerB],
    ],
  ],
]

describe('An integrity of a wrong length', () => {
  it.each([0, 1, 15, 19, 21, 32, 64, 1000])('of %i bytes gets no answer, and ends nothing', (length) => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp])
    const head = bytes.subarray(0, bytes.length - 24)
    const padded = (length + 3) & ~3
    const wrong = Uint8Array.of(...head, 0, 8, length >> 8, length & 255, ...new Uint8Array(padded))
    wrong.set([(wrong.length - 20) >> 8, (wrong.length - 20) & 255], 2)
    expect(client.exchange(wrong)).toBeUndefined()
    expect(harness.server.counters.drops['bad-message']).toBe(1)
    client.allocate()
  })

  it.each([0, 12, 15, 17, 30, 36, 64])('of %i bytes of SHA-256 likewise', (length) => {
    const client = new TurnHarness().client()
    const padded = (length + 3) & ~3
    const bytes = Uint8Array.of(
      ...head('Allocate', 4 + padded),
      0,
      0x1c,
      0,
      length,
      ...new Uint8Array(padded),
    )
    expect(client.exchange(bytes)).toBeUndefined()
  })
})

describe('The allocation of somebody else', () => {
  it.each(requests)(
    'is not had by %s with credentials of one\u2019s own: 441, signed, and nothing changes',
    (method, attributes) => {
      const harness = new TurnHarness()
      const alice = harness.client()
      const relayed = alice.allocate()
      alice.permit(peerA)
      const mallory = harness.client('bob', 'builder', alice.address)
      expect(codeOf(mallory.request(method, attributes))).toBe(441)
      const socket = alice.relaySocketAt(relayed)
      expect(harness.fromPeer(socket, peerA, Uint8Array.of(1))).toBeDefined()
      expect(harness.fromPeer(socket, peerB, Uint8Array.of(1))).toBeUndefined()
      expect(alice.request('Refresh').class).toBe('success')
    },
  )

  it('is not made anew on its five-tuple: 437', () => {
    const harness = new TurnHarness()
    const alice = harness.client()
    alice.allocate()
    expect(codeOf(harness.client('bob', 'builder', alice.address).request('Allocate', [udp]))).toBe(437)
  })

  it('is not had from another port, by its owner either: 437', () => {
    const harness = new TurnHarness()
    const alice = harness.client()
    alice.allocate()
    const elsewhere = harness.client('alice', 'wonder', alice.address.withPort(alice.address.port ^ 1))
    for (const [method, attributes] of requests)
      expect(codeOf(elsewhere.request(method, attributes))).toBe(437)
  })
})

describe('Without an allocation', () => {
  it.each(requests)('%s is answered 437, signed', (method, attributes) => {
    expect(codeOf(new TurnHarness().client().request(method, attributes))).toBe(437)
  })

  it('Send indications and ChannelData are met with silence', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
    expect(client.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops['no-allocation']).toBe(2)
  })
})

describe('What is added to a signed request on its way', () => {
  it('is not seen: attributes behind the integrity, with a fingerprint that is right again', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const socket = client.relaySocketAt(client.allocate())
    const permit = client.encode('CreatePermission', [['XOR-PEER-ADDRESS', peerA]])
    expect(client.exchange(appended(permit, [['XOR-PEER-ADDRESS', peerB]]))?.class).toBe('success')
    expect(harness.fromPeer(socket, peerA, Uint8Array.of(1))).toBeDefined()
    expect(harness.fromPeer(socket, peerB, Uint8Array.of(1))).toBeUndefined()
    const refresh = client.encode('Refresh', [])
    expect(client.exchange(appended(refresh, [['LIFETIME', 0]]))?.get('LIFETIME')).toBe(600)
  })

  it('before the integrity is found out: 401', () => {
    const client = new TurnHarness().client()
    client.allocate()
    const bytes = client.encode('CreatePermission', [['XOR-PEER-ADDRESS', peerA]])
    bytes[20 + 4 + 7]! ^= 1
    expect(codeOf(client.exchange(bytes))).toBe(401)
  })
})

describe('Of two attributes of one kind', () => {
  it('the first counts: user, realm, nonce, lifetime, channel number', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.allocate()
    const doubled = (method: MethodName, attributes: Attribute[], more: Attribute[]) => {
      const credentials: Attribute[] = [
        ['USERNAME', 'alice'],
        ['REALM', realm],
        ['NONCE', client.nonce!],
      ]
      return client.exchange(
        encodeMessage(
          { class: 'request', method, transactionId, attributes: [...attributes, ...credentials, ...more] },
          { integrity: [{ algorithm: 'sha1', key: aliceKey }] },
        ),
      )
    }
    const others: Attribute[] = [
      ['USERNAME', 'bob'],
      ['REALM', 'other'],
      ['NONCE', 'x'],
      ['LIFETIME', 0],
    ]
    expect(doubled('Refresh', [['LIFETIME', 700]], others)?.get('LIFETIME')).toBe(700)
    const channel: Attribute[] = [
      ['CHANNEL-NUMBER', 0x4000],
      ['XOR-PEER-ADDRESS', peerA],
    ]
    const second: Attribute[] = [
      ['CHANNEL-NUMBER', 0x4001],
      ['XOR-PEER-ADDRESS', peerB],
    ]
    expect(doubled('ChannelBind', channel, second)?.class).toBe('success')
    expect(client.sendChannelData(0x4000, text('x'))?.destination).toBe(peerA.toString())
    expect(client.sendChannelData(0x4001, text('x'))).toBeUndefined()
    expect(client.sendIndication(peerA, text('first'), [['DATA', text('second')]])?.bytes).toEqual(
      text('first'),
    )
  })
})

describe('No answer goes', () => {
  const request = head('Binding', 0)
  const allocate = encodeMessage({ class: 'request', method: 'Allocate', transactionId, attributes: [udp] })
  const classes: MessageClass[] = ['success', 'error', 'indication']
  const methods: MethodName[] = [
    'Binding',
    'Allocate',
    'Refresh',
    'Send',
    'Data',
    'CreatePermission',
    'Connect',
  ]
  const silent: [string, Uint8Array][] = [
    ...classes.flatMap((kind) =>
      methods.map((method): [string, Uint8Array] => [
        `to a ${kind} of ${method}`,
        encodeMessage({ class: kind, method, transactionId, attributes: [] }),
      ]),
    ),
    [
      'to a request of a method that nobody knows',
      encodeMessage({ class: 'request', method: 0x7ff, transactionId, attributes: [] }),
    ],
    [
      'to an indication of a method that nobody knows',
      encodeMessage({ class: 'indication', method: 0x7ff, transactionId, attributes: [] }),
    ],
    [
      'to a request of Send',
      encodeMessage({ class: 'request', method: 'Send', transactionId, attributes: [] }),
    ],
    ['to ChannelData', Uint8Array.of(0x40, 0, 0, 4, 1, 2, 3, 4)],
    ['to nothing', new Uint8Array(0)],
    ['to a DTLS ClientHello', Uint8Array.of(22, 254, 253, ...new Uint8Array(60))],
    ['to RTP', Uint8Array.of(0x80, ...new Uint8Array(40))],
    ['to HTTP', text('GET / HTTP/1.1\r\n\r\n')],
    ['to a wrong magic cookie', changed(request, 4, 0x22)],
    ['to top bits that are set', changed(request, 0, 0xc0)],
    ['to a length that is too long', changed(request, 3, 4)],
    ['to a length that is no multiple of four', changed(allocate, 3, 7)],
    ['to a message cut short', allocate.subarray(0, allocate.length - 1)],
    [
      'to a wrong fingerprint',
      changed(
        encodeMessage(
          { class: 'request', method: 'Binding', transactionId, attributes: [] },
          { fingerprint: true },
        ),
        27,
        0,
      ),
    ],
  ]
  it.each(silent)('%s', (_name, bytes) => {
    const harness = new TurnHarness()
    const client = harness.client()
    expect(client.exchange(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
    // And whoever comes next is served.
    client.allocate()
  })

  it.each([
    ['port 0', TransportAddress.of('203.0.113.9', 0)],
    ['our own listening address', listening],
  ])('to %s, where it would be lost or go round in a circle', (_name, source) => {
    const harness = new TurnHarness()
    for (const bytes of [request, allocate]) harness.handle({ socket: listener, source, bytes })
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops['bad-source']).toBe(2)
  })
})

describe('A client out of a tunnel', () => {
  it.each(['2002:c000:201::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'])(
    '%s gets no allocation: 403',
    (ip) => {
      const harness = new TurnHarness()
      const client = harness.client('alice', 'wonder', TransportAddress.of(ip, 5000))
      expect(codeOf(client.request('Allocate', [udp]))).toBe(403)
      expect(harness.relaySockets.size).toBe(0)
    },
  )
})

describe('An unproven source draws', () => {
  const binding = (more: Attribute[] = []) =>
    encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: more })

  it.each([
    ['IPv4', TransportAddress.of('203.0.113.9', 5000), 32],
    ['IPv6', TransportAddress.of('2001:db8::9', 5000), 44],
  ])('by Binding over %s its address and nothing else, in %s: %i bytes', (_family, address, size) => {
    const answer = new TurnClient(new TurnHarness(), address, 'nobody', '').exchange(binding())
    expect(answer?.types()).toEqual([0x0020])
    expect(answer?.bytes).toHaveLength(size)
  })

  it('by a Binding that is signed, or wants this and that, no more', () => {
    const client = new RawClient(new TurnHarness())
    const wishes: Attribute[] = [
      ['USERNAME', 'a'.repeat(500)],
      ['SOFTWARE', 'x'],
      ['PRIORITY', 1],
      ['USE-CANDIDATE', true],
    ]
    for (let i = 0; i < 4; i++) {
      const answer = client.exchange(binding(wishes.slice(0, i + 1)))
      expect(answer!.bytes.length).toBeLessThanOrEqual(44)
    }
  })

  it('a few bytes more than it has sent, whatever it has sent: 100 for a realm of 16', () => {
    const name = 'sixteen-letters.'
    const client = new RawClient(new TurnHarness({ realm: name }))
    const attempts: Attribute[][] = [
      [],
      [['USERNAME', 'alice']],
      Array.from({ length: 100 }, (_, i): Attribute => ['ICE-CONTROLLED', BigInt(i)]),
      [['DONT-FRAGMENT', true]],
    ]
    for (const method of ['Allocate', 'Refresh', 'CreatePermission', 'ChannelBind'] as const) {
      for (const attributes of attempts) {
        const unsigned = client.send({ method, attributes })
        const key = text('wrong')
        const signed = client.send({ method, attributes, integrity: [{ algorithm: 'sha256', key }] })
        for (const answer of [unsigned, signed]) {
          expect(answer!.bytes.length).toBeLessThanOrEqual(100)
          expect(answer!.has('SOFTWARE') || hasIntegrity(answer!)).toBe(false)
        }
      }
    }
  })
})

describe('A server that has been started again', () => {
  it('does not know the nonces of the one before, and has other ones', () => {
    const before = new RawClient(new TurnHarness())
    const after = new RawClient(new TurnHarness({}, 2), before.address)
    const nonce = before.challenge().get('NONCE')!
    expect(after.challenge().get('NONCE')).not.toBe(nonce)
    const attributes: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', realm],
      ['NONCE', nonce],
    ]
    const integrity = [{ algorithm: 'sha1', key: aliceKey }] as const
    expect(codeOf(after.send({ attributes, integrity }))).toBe(438)
    expect(codeOf(after.send({ method: 'Refresh', attributes, integrity }))).toBe(438)
    expect(signatureOf(after.send({ attributes, integrity }), aliceKey)).toBe('sha1')
  })
})

describe('A flood from forged sources', () => {
  it('leaves nothing behind: no deadline, no output, no memory for each', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 100 })
    const unsigned = encodeMessage({ class: 'request', method: 'Allocate', transactionId, attributes: [udp] })
    const credentials: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', realm],
      ['NONCE', 'none of yours'],
    ]
    const forged = encodeMessage(
      { class: 'request', method: 'Allocate', transactionId, attributes: [udp, ...credentials] },
      { integrity: [{ algorithm: 'sha1', key: text('wrong') }] },
    )
    const flood = (from: number, count: number) => {
      for (let i = from; i < from + count; i++) {
        const source = new TransportAddress(0, 0, 0xffff, 0x0b000000 + i * 7, 1024 + (i % 60_000))
        harness.handle({ socket: listener, source, bytes: i % 2 === 0 ? unsigned : forged })
        harness.outputs.length = 0
      }
    }
    flood(0, 4000)
    const before = heapUsed()
    flood(4000, 10_000)
    const grown = heapUsed() - before
    expect(harness.server.pollTimeout()).toBeUndefined()
    expect(harness.server.poll()).toBeUndefined()
    expect(harness.server.counters.allocations).toBe(0)
    // A hundred bytes for each source would be a million.
    expect(grown).toBeLessThan(500_000)
  })
})

/** The heap when all that nobody holds is gone. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** The header of a request with that much behind it. */
function head(method: MethodName, length: number): Uint8Array {
  const bytes = encodeMessage({ class: 'request', method, transactionId, attributes: [] })
  bytes[3] = length
  return bytes
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const other = bytes.slice()
  other[at] = value
  return other
}

/** The signed message with attributes behind its integrity, and a FINGERPRINT over it all. */
function appended(signed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const more = encodeMessage({
    class: 'request',
    method: 'Binding',
    transactionId: signed.subarray(8, 20),
    attributes,
  })
  const bytes = new Uint8Array(signed.length + more.length - 20 + 8)
  bytes.set(signed)
  bytes.set(more.subarray(20), signed.length)
  const at = bytes.length - 8
  new DataView(bytes.buffer).setUint16(2, bytes.length - 20)
  bytes.set([0x80, 0x28, 0, 4], at)
  new DataView(bytes.buffer).setUint32(at + 4, crcOf(bytes.subarray(0, at)))
  return bytes
}

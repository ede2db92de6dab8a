/** What somebody without credentials can draw from the server, or have it send to somebody else. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { type MessageClass, type MethodName, methods } from '../../src/stun/methods.ts'
import { codeOf, listener, listening, peerA, TurnHarness, text } from '../support/turn-harness.ts'

const transactionId = new Uint8Array(12)
const methodNames = Object.keys(methods) as MethodName[]

function plain(
  messageClass: MessageClass,
  method: MethodName | number,
  attributes: readonly Attribute[] = [],
): Uint8Array {
  return encodeMessage({ class: messageClass, method, transactionId, attributes })
}

function transmissions(harness: TurnHarness): number {
  return harness.takeOutputs().filter(({ type }) => type === 'transmit').length
}

describe('the size of an answer', () => {
  const clients = ['203.0.113.1:1', '[2600::9]:1']
  it.each(clients)('to Binding from %s is at most 44 bytes, whatever is asked', (address) => {
    const client = new TurnHarness().client('alice', 'wonder', TransportAddress.parse(address))
    const asked: Attribute[][] = [
      [],
      [['SOFTWARE', 'x'.repeat(500)]],
      [['CHANGE-REQUEST', { changeIp: true, changePort: true }]],
      [['RESPONSE-PORT', 53]],
      [['PADDING', new Uint8Array(1400)]],
      Array.from({ length: 50 }, (): Attribute => ['PRIORITY', 1]),
      [
        ['USERNAME', 'x'],
        ['REALM', 'x'],
        ['NONCE', 'x'],
      ],
    ]
    for (const attributes of asked) {
      const answer = client.exchange(plain('request', 'Binding', attributes))
      expect(answer?.bytes.length).toBeLessThanOrEqual(44)
    }
  })

  it.each(['Allocate', 'Refresh', 'CreatePermission', 'ChannelBind'] as const)(
    'to %s without credentials, with wrong ones and with half of them, is at most 100 bytes',
    (method) => {
      const harness = new TurnHarness()
      const client = harness.client()
      const nonce = client.challenge()
      const stranger = harness.client('mallory', 'x')
      stranger.nonce = nonce
      const answers = [
        client.exchange(plain('request', method)),
        client.exchange(
          plain('request', method, [
            ['USERNAME', 'alice'],
            ['NONCE', nonce],
          ]),
        ),
        stranger.exchange(stranger.encode(method, [['SOFTWARE', 'x'.repeat(700)]])),
        client.exchange(client.encode(method, [], { key: text('wrong'), nonce })),
      ]
      for (const answer of answers) {
        expect(codeOf(answer)).toBe(401)
        expect(answer?.bytes.length).toBeLessThanOrEqual(100)
        expect(answer?.get('ERROR-CODE')?.reason).toBe('')
        expect(answer?.has('SOFTWARE')).toBe(false)
      }
    },
  )

  it('is at most 100 bytes with a realm of 16 characters, and grows with the realm alone', () => {
    for (const [length, size] of [
      [16, 100],
      [32, 116],
      [127, 212],
    ] as const) {
      const client = new TurnHarness({ realm: 'r'.repeat(length) }).client()
      expect(client.exchange(plain('request', 'Allocate'))?.bytes.length).toBeLessThanOrEqual(size)
    }
  })
})

describe('no answer is given', () => {
  const answers = methodNames.flatMap((method) =>
    (['success', 'error', 'indication'] as const).map((messageClass): [string, Uint8Array] => [
      `to ${messageClass} of ${method}`,
      plain(
        messageClass,
        method,
        messageClass === 'error' ? [['ERROR-CODE', { code: 401, reason: '' }]] : [],
      ),
    ]),
  )
  const requests = (['Send', 'Data', 'Connect', 'ConnectionBind', 'ConnectionAttempt'] as const).map(
    (method): [string, Uint8Array] => [`to a request of ${method} over UDP`, plain('request', method)],
  )
  const others: [string, Uint8Array][] = [
    ['to a request of a method that nobody knows', plain('request', 0x0ff)],
    ['to ChannelData', Uint8Array.of(0x40, 0, 0, 1, 7)],
    ['to a DTLS ClientHello', Uint8Array.of(22, 254, 253, ...new Uint8Array(60))],
    ['to RTP', Uint8Array.of(0x80, 0x60, ...new Uint8Array(20))],
    ['to RTCP', Uint8Array.of(0x81, 0xc8, ...new Uint8Array(20))],
    ['to ZRTP', Uint8Array.of(16, 0, ...new Uint8Array(20))],
    ['to HTTP', text('GET / HTTP/1.1\r\n\r\n')],
    ['to a DNS query', Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)],
    ['to a QUIC packet', Uint8Array.of(0xc3, 0, 0, 0, 1, ...new Uint8Array(40))],
    ['to an empty datagram', new Uint8Array(0)],
    ['to 65,507 zeros', new Uint8Array(65_507)],
  ]
  it.each([...answers, ...requests, ...others])('%s', (_name, bytes) => {
    const harness = new TurnHarness()
    const client = harness.client()
    expect(client.raw(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
    client.allocate()
    harness.takeOutputs()
    expect(client.raw(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
  })

  it('to its own answers: what the server sends, it does not answer', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const socket = client.relaySocketAt(client.allocate())
    client.permit(peerA)
    const own = [
      client.exchange(plain('request', 'Binding'))!.bytes.slice(),
      client.exchange(plain('request', 'Allocate'))!.bytes.slice(),
      client.request('Refresh').bytes.slice(),
      harness.fromPeer(socket, peerA, text('data'))!.bytes,
    ]
    harness.takeOutputs()
    for (const bytes of own) expect(client.raw(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
  })

  const sources: [string, TransportAddress][] = [
    ['port 0', TransportAddress.parse('203.0.113.9:0')],
    ['our own listening address', listening],
    [
      'our own listening address, as an IPv6 socket has it',
      TransportAddress.parse(`[::ffff:${listening.ip}]:${listening.port}`),
    ],
  ]
  it.each(sources)('to %s, whatever comes from there', (_name, source) => {
    const harness = new TurnHarness()
    for (const bytes of [
      plain('request', 'Binding'),
      plain('request', 'Allocate'),
      plain('request', 'Binding', [['PRIORITY', 1]]),
    ]) {
      harness.handle({ socket: listener, source, bytes })
    }
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops['bad-source']).toBe(3)
  })

  it('to a peer: a STUN request at a relayed address is data like any other', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const socket = client.relaySocketAt(client.allocate())
    harness.takeOutputs()
    expect(harness.fromPeer(socket, peerA, plain('request', 'Binding'))).toBeUndefined()
    client.permit(peerA)
    harness.takeOutputs()
    const sent = harness.fromPeer(socket, peerA, plain('request', 'Binding'))
    expect(sent?.destination).toBe(`${client.address}`)
    expect(harness.outputs).toEqual([])
    expect(harness.fromPeer(socketId(0x1ffff), peerA, plain('request', 'Binding'))).toBeUndefined()
  })
})

describe('the number of answers', () => {
  /** A client whose address has had more than its answers. */
  const flooded = () => {
    const harness = new TurnHarness({ unauthenticatedRate: 10 })
    const address = TransportAddress.parse('203.0.113.50:40000')
    const client = harness.client('alice', 'wonder', address)
    client.nonce = client.challenge()
    for (let port = 1; port <= 1000; port++) {
      const bytes = plain('request', 'Allocate')
      harness.handle({ socket: listener, source: address.withPort(port), bytes })
    }
    return { harness, client }
  }

  it('to one address is limited, whatever the ports and methods; then there is silence', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 10 })
    let answers = 0
    for (let port = 1; port <= 1000; port++) {
      const source = TransportAddress.of('203.0.113.50', port)
      harness.handle({
        socket: listener,
        source,
        bytes: plain('request', port % 2 === 0 ? 'Binding' : 'Allocate'),
      })
      answers += transmissions(harness)
    }
    expect(answers).toBeLessThanOrEqual(21)
    expect(harness.server.counters.answersWithheld).toBe(1000 - answers)
    const other = harness.client('alice', 'wonder', TransportAddress.parse('203.0.113.51:1'))
    expect(other.exchange(plain('request', 'Binding'))?.class).toBe('success')
  })

  it('to one /64 of IPv6 is limited as one', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 10 })
    let answers = 0
    for (let i = 1; i <= 1000; i++) {
      harness.handle({
        socket: listener,
        source: TransportAddress.of(`2600:0:0:1::${i.toString(16)}`, 5),
        bytes: plain('request', 'Allocate'),
      })
      answers += transmissions(harness)
    }
    expect(answers).toBeLessThanOrEqual(21)
  })

  it('is none of the affair of who has credentials: in a flood from the same address all are served', () => {
    const { client } = flooded()
    expect(client.exchange(plain('request', 'Binding'))).toBeUndefined()
    client.allocate()
    for (let i = 0; i < 100; i++) expect(client.permit(peerA).class).toBe('success')
  })

  it('spares who shows by a nonce that answers reach it: 438 and 401 come through the flood', () => {
    const { harness, client } = flooded()
    const wrong = client.encode('Allocate', [['REQUESTED-TRANSPORT', 17]], { key: text('wrong') })
    expect(codeOf(client.exchange(wrong))).toBe(401)
    harness.takeOutputs()
    const forged = client.encode('Allocate', [['REQUESTED-TRANSPORT', 17]], {
      key: text('wrong'),
      nonce: 'forged',
    })
    expect(client.exchange(forged)).toBeUndefined()
  })
})

describe('before the first valid integrity', () => {
  it('nothing is kept: 20,000 requests from as many addresses leave no allocation, no timer and no output', () => {
    const harness = new TurnHarness()
    for (let i = 0; i < 20_000; i++) {
      const source = TransportAddress.of(`203.0.${i >> 8}.${i & 255}`, 1024 + i)
      harness.handle({
        socket: listener,
        source,
        bytes: plain('request', 'Allocate', [['REQUESTED-TRANSPORT', 17]]),
      })
      if (transmissions(harness) !== 1) throw new Error('no challenge')
    }
    expect(harness.server.counters).toMatchObject({
      allocations: 0,
      allocationsCreated: 0,
      challenges: 20_000,
    })
    expect(harness.server.pollTimeout()).toBeUndefined()
    expect(harness.relaySockets.size).toBe(0)
  })
})

describe('padding', () => {
  it('is zeros in a thousand answers and Data indications after traffic of other users', () => {
    const harness = new TurnHarness({ realm: 'odd' })
    const client = harness.client()
    // The harness signs for another realm, so that every request is challenged: REALM and NONCE of odd lengths.
    for (let i = 0; i < 1000; i++) {
      client.raw(new Uint8Array(200).fill(0xee))
      const answer = client.exchange(plain('request', 'Allocate'))!
      for (const [name, length] of [
        ['REALM', 3],
        ['NONCE', answer.raw('NONCE')!.length],
      ] as const) {
        const at = answer.valueOffset(name)
        const padding = answer.bytes.subarray(at + length, at + ((length + 3) & ~3))
        if (padding.some((byte) => byte !== 0)) throw new Error(`padding of ${name}: ${padding}`)
      }
    }
  })
})

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { peer6, peerA, peerB, TurnHarness, text } from '../support/turn-harness.ts'

function permitted() {
  const harness = new TurnHarness()
  const client = harness.client()
  const socket = client.relaySocketAt(client.allocate())
  client.permit(peerA)
  harness.takeOutputs()
  return { harness, client, socket }
}

function indication(attributes: Attribute[], options: Parameters<typeof encodeMessage>[1] = {}): Uint8Array {
  const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i)
  return encodeMessage({ class: 'indication', method: 'Send', transactionId, attributes }, options)
}

const peerAttribute: Attribute = ['XOR-PEER-ADDRESS', peerA]
const data: Attribute = ['DATA', text('hello')]

describe('a Send indication', () => {
  it.each([0, 1, 2, 3, 4, 5, 1200, 60_000])(
    'carries %i bytes to the peer, from the relayed address',
    (length) => {
      const { client, socket } = permitted()
      const payload = new Uint8Array(length).map((_, i) => i)
      expect(client.sendIndication(peerA, payload)).toEqual({
        socket,
        destination: `${peerA}`,
        bytes: payload,
        dontFragment: false,
      })
    },
  )

  const accepted: [string, Uint8Array][] = [
    ['the attributes in the other order', indication([data, peerAttribute])],
    ['optional attributes that nobody knows', indication([peerAttribute, ['SOFTWARE', 'x'], data])],
    ['a right fingerprint', indication([peerAttribute, data], { fingerprint: true })],
    [
      'an integrity, which counts for nothing',
      indication([peerAttribute, data], { integrity: [{ algorithm: 'sha1', key: text('x') }] }),
    ],
    [
      'a second peer and second data',
      indication([peerAttribute, data, ['XOR-PEER-ADDRESS', peerB], ['DATA', text('no')]]),
    ],
  ]
  it.each(accepted)('with %s is relayed', (_name, bytes) => {
    const { client } = permitted()
    expect(client.raw(bytes)).toMatchObject({ destination: `${peerA}`, bytes: text('hello') })
  })

  const wrongFingerprint = indication([peerAttribute, data], { fingerprint: true })
  wrongFingerprint[wrongFingerprint.length - 1]! ^= 1
  const afterIntegrity = indication([['SOFTWARE', 'x']], {
    integrity: [{ algorithm: 'sha1', key: text('x') }],
  })
  const appended = new Uint8Array([...afterIntegrity, ...indication([peerAttribute, data]).subarray(20)])
  appended.set([(appended.length - 20) >> 8, (appended.length - 20) & 255], 2)
  const dropped: [string, Uint8Array][] = [
    ['no peer', indication([data])],
    ['no data', indication([peerAttribute])],
    ['nothing', indication([])],
    ['an unknown attribute that must be understood', indication([peerAttribute, data, ['PRIORITY', 1]])],
    ['DONT-FRAGMENT', indication([peerAttribute, ['DONT-FRAGMENT', true], data])],
    ['a wrong fingerprint', wrongFingerprint],
    ['peer and data behind an integrity', appended],
    ['another magic cookie', indication([peerAttribute, data]).fill(0, 4, 5)],
    ['a wrong length', indication([peerAttribute, data]).fill(4, 3, 4)],
  ]
  it.each(dropped)('with %s is dropped in silence', (_name, bytes) => {
    const { harness, client } = permitted()
    expect(client.raw(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops['bad-indication']).toBe(1)
  })

  it('is relayed, of all its mutations, only as the codec reads it', () => {
    const { harness, client } = permitted()
    const good = indication([peerAttribute, data])
    let relayed = 0
    for (let round = 0; round < 20_000; round++) {
      const bytes = good.slice()
      for (let i = harness.random.below(3); i >= 0; i--) {
        bytes[2 + harness.random.below(bytes.length - 2)] = harness.random.below(256)
      }
      const sent = client.raw(bytes)
      if (sent === undefined) continue
      relayed++
      const message = decodeMessage(bytes)
      if (typeof message === 'string') throw new Error(message)
      expect(message.get('XOR-PEER-ADDRESS')?.toString()).toBe(sent.destination)
      expect(message.get('DATA')).toEqual(sent.bytes)
    }
    expect(relayed).toBeGreaterThan(1_000)
    expect(harness.outputs).toEqual([])
  })

  it('to a permitted peer at port 0 is dropped', () => {
    const { harness, client } = permitted()
    expect(client.sendIndication(peerA.withPort(0), text('x'))).toBeUndefined()
    expect(harness.server.counters.drops['peer-forbidden']).toBe(1)
  })

  it('of another family than the allocation is dropped', () => {
    expect(permitted().client.sendIndication(peer6, text('x'))).toBeUndefined()
  })

  it('without an allocation is dropped in silence', () => {
    const { harness } = permitted()
    expect(harness.client().raw(indication([peerAttribute, data]))).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops['no-allocation']).toBe(1)
  })
})

describe('a Data indication', () => {
  it.each([0, 1, 2, 3, 4, 1200])(
    'carries %i bytes from the peer, padded with zeros, and tells who has sent them',
    (length) => {
      const { harness, client, socket } = permitted()
      const payload = new Uint8Array(length).fill(0xff)
      const sent = harness.fromPeer(socket, peerA, payload)
      expect([sent?.socket, sent?.destination]).toEqual([client.socket, `${client.address}`])
      const message = decodeMessage(sent!.bytes)
      if (typeof message === 'string') throw new Error(message)
      expect([message.class, message.method, message.types()]).toEqual([
        'indication',
        'Data',
        [0x0012, 0x0013],
      ])
      expect(message.get('XOR-PEER-ADDRESS')).toEqual(peerA)
      expect(message.get('DATA')).toEqual(payload)
      expect([...sent!.bytes.subarray(36 + length)]).toEqual(new Array(-length & 3).fill(0))
    },
  )

  it('tells an IPv6 peer, which is XORed with the transaction ID', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const socket = client.relaySocketAt(client.allocate([['REQUESTED-ADDRESS-FAMILY', 'IPv6']]))
    client.permit(peer6)
    const message = decodeMessage(harness.fromPeer(socket, peer6, text('six'))!.bytes)
    if (typeof message === 'string') throw new Error(message)
    expect(message.get('XOR-PEER-ADDRESS')).toEqual(peer6)
  })

  it('has a transaction ID of its own', () => {
    const { harness, socket } = permitted()
    const ids = Array.from({ length: 1000 }, () =>
      Buffer.from(harness.fromPeer(socket, peerA, text('x'))!.bytes.subarray(8, 20)).toString('hex'),
    )
    expect(new Set(ids).size).toBe(1000)
  })

  it('from a peer without a permission is not made', () => {
    const { harness, socket } = permitted()
    expect(harness.fromPeer(socket, peerB, text('x'))).toBeUndefined()
    expect(harness.outputs).toEqual([])
  })

  it('that would not fit into a datagram is not made', () => {
    const { harness, socket } = permitted()
    expect(harness.fromPeer(socket, peerA, new Uint8Array(65_507 - 36))).toBeUndefined()
    expect(harness.fromPeer(socket, peerA, new Uint8Array(65_468))?.bytes.length).toBe(65_504)
    expect(harness.server.counters.drops.oversize).toBe(1)
  })
})

it('every address form of a client is one client', () => {
  const harness = new TurnHarness()
  const client = harness.client('alice', 'wonder', TransportAddress.parse('203.0.113.9:5000'))
  client.allocate()
  client.permit(peerA)
  const mapped = harness.client('alice', 'wonder', TransportAddress.parse('[::ffff:203.0.113.9]:5000'))
  expect(mapped.sendIndication(peerA, text('x'))).toBeDefined()
})

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { defaultLimits } from '../../src/turn/options.ts'
import { codeOf, peer6, peerA, peerB, TurnHarness, text } from '../support/turn-harness.ts'

function allocated(options: ConstructorParameters<typeof TurnHarness>[0] = {}) {
  const harness = new TurnHarness(options)
  const client = harness.client()
  const socket = client.relaySocketAt(client.allocate())
  return { harness, client, socket }
}

describe('ChannelBind', () => {
  it('binds a number to a peer, and permits its address', () => {
    const { harness, client, socket } = allocated()
    expect(client.bindChannel(0x4000, peerA).class).toBe('success')
    expect(client.sendChannelData(0x4000, text('out'))).toEqual({
      socket,
      destination: `${peerA}`,
      bytes: text('out'),
      dontFragment: false,
    })
    expect(harness.fromPeer(socket, peerA, text('in'))?.bytes).toEqual(
      Uint8Array.of(0x40, 0, 0, 2, ...text('in')),
    )
    // Another port of the peer is permitted and has no channel: Data indication.
    expect(harness.fromPeer(socket, peerA.withPort(1), text('in'))?.bytes.slice(0, 2)).toEqual(
      Uint8Array.of(0, 0x17),
    )
  })

  const numbers: [number, boolean, boolean][] = [
    [0x0000, false, false],
    [0x3fff, false, false],
    [0x4000, true, true],
    [0x4fff, true, true],
    [0x5000, false, true],
    [0x7fff, false, true],
    [0x8000, false, false],
    [0xffff, false, false],
  ]
  it.each(numbers)(
    'of number %i is allowed: %s, with legacy channels: %s',
    (number, isAllowed, isAllowedLegacy) => {
      for (const [allowLegacyChannels, expected] of [
        [false, isAllowed],
        [true, isAllowedLegacy],
      ] as const) {
        const { client } = allocated({ allowLegacyChannels })
        expect(codeOf(client.bindChannel(number, peerA))).toBe(expected ? undefined : 400)
        const sent = client.sendChannelData(number, text('x'))
        expect(sent === undefined).toBe(!expected)
      }
    },
  )

  it('binds number and peer one to one: 400 for a second peer and for a second number', () => {
    const { client } = allocated()
    client.bindChannel(0x4000, peerA)
    expect(codeOf(client.bindChannel(0x4000, peerB))).toBe(400)
    expect(codeOf(client.bindChannel(0x4000, peerA.withPort(1)))).toBe(400)
    expect(codeOf(client.bindChannel(0x4001, peerA))).toBe(400)
    expect(client.sendIndication(peerB, text('x'))).toBeUndefined()
    expect(client.sendChannelData(0x4000, text('x'))?.destination).toBe(`${peerA}`)
    expect(client.bindChannel(0x4001, peerA.withPort(1)).class).toBe('success')
  })

  it('again for the same two is a refresh of channel and permission', () => {
    const { harness, client } = allocated()
    client.bindChannel(0x4000, peerA)
    harness.elapse(290)
    client.bindChannel(0x4000, peerA)
    harness.elapse(299)
    expect(client.sendChannelData(0x4000, text('x'))).toBeDefined()
  })

  it('lasts 600 seconds, and lets go of number and peer then', () => {
    const { harness, client } = allocated({ nonceLifetime: 3600 })
    client.request('Refresh', [['LIFETIME', 3600]])
    client.bindChannel(0x4000, peerA)
    harness.elapse(299)
    client.permit(peerA)
    harness.elapse(300)
    client.permit(peerA)
    client.permit(peerB)
    harness.elapse(0.999)
    expect(client.sendChannelData(0x4000, text('x'))).toBeDefined()
    expect(codeOf(client.bindChannel(0x4000, peerB))).toBe(400)
    harness.elapse(0.001)
    expect(client.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(client.bindChannel(0x4000, peerB).class).toBe('success')
    expect(client.bindChannel(0x4001, peerA).class).toBe('success')
  })

  it('lets go of number and peer at its time, also when the timer is late', () => {
    const { harness, client, socket } = allocated({ nonceLifetime: 3600 })
    client.request('Refresh', [['LIFETIME', 3600]])
    client.bindChannel(0x4000, peerA)
    harness.now = (harness.now + 600_000) as typeof harness.now
    expect(client.bindChannel(0x4000, peerB).class).toBe('success')
    expect(client.bindChannel(0x4001, peerA).class).toBe('success')
    harness.server.handleTimeout(harness.now)
    expect(harness.fromPeer(socket, peerA, text('x'))?.bytes.slice(0, 2)).toEqual(Uint8Array.of(0x40, 1))
    expect(harness.fromPeer(socket, peerB, text('x'))?.bytes.slice(0, 2)).toEqual(Uint8Array.of(0x40, 0))
  })

  it('lasts longer than its permission of 300 seconds, without which nothing passes either way', () => {
    const { harness, client, socket } = allocated()
    client.bindChannel(0x4000, peerA)
    harness.elapse(300)
    expect(client.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(harness.fromPeer(socket, peerA, text('x'))).toBeUndefined()
    expect(harness.server.counters.drops['no-permission']).toBe(2)
    client.permit(peerA)
    expect(client.sendChannelData(0x4000, text('x'))).toBeDefined()
    expect(harness.fromPeer(socket, peerA, text('x'))?.bytes[0]).toBe(0x40)
  })

  const refusals: [string, Attribute[], number][] = [
    ['no number', [['XOR-PEER-ADDRESS', peerA]], 400],
    ['no peer', [['CHANNEL-NUMBER', 0x4000]], 400],
    [
      'port 0',
      [
        ['CHANNEL-NUMBER', 0x4000],
        ['XOR-PEER-ADDRESS', peerA.withPort(0)],
      ],
      400,
    ],
    [
      'a peer of another family',
      [
        ['CHANNEL-NUMBER', 0x4000],
        ['XOR-PEER-ADDRESS', peer6],
      ],
      443,
    ],
    [
      'a forbidden peer',
      [
        ['CHANNEL-NUMBER', 0x4000],
        ['XOR-PEER-ADDRESS', TransportAddress.parse('169.254.169.254:80')],
      ],
      403,
    ],
    [
      'an unknown attribute',
      [
        ['CHANNEL-NUMBER', 0x4000],
        ['XOR-PEER-ADDRESS', peerA],
        ['LIFETIME', 1],
      ],
      420,
    ],
  ]
  it.each(refusals)('with %s is refused, and binds nothing', (_name, attributes, code) => {
    const { harness, client } = allocated()
    expect(codeOf(client.request('ChannelBind', attributes))).toBe(code)
    expect(client.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
    expect(harness.server.pollTimeout()).toBe(harness.now + 600_000)
  })

  it('takes the first of two peers', () => {
    const { client } = allocated()
    client.request('ChannelBind', [
      ['CHANNEL-NUMBER', 0x4000],
      ['XOR-PEER-ADDRESS', peerA],
      ['XOR-PEER-ADDRESS', peerB],
    ])
    expect(client.sendChannelData(0x4000, text('x'))?.destination).toBe(`${peerA}`)
    expect(client.sendIndication(peerB, text('x'))).toBeUndefined()
  })

  it('without an allocation is refused with 437, by another user with 441', () => {
    const { harness, client } = allocated()
    expect(codeOf(harness.client().bindChannel(0x4000, peerA))).toBe(437)
    expect(codeOf(harness.client('bob', 'builder', client.address).bindChannel(0x4000, peerA))).toBe(441)
  })

  it('takes so many channels, answers 508 to more, and refreshes those that are there', () => {
    const { client } = allocated()
    for (let i = 0; i < defaultLimits.maxChannels; i++) {
      expect(client.bindChannel(0x4000 + i, peerA.withPort(1000 + i)).class).toBe('success')
    }
    expect(codeOf(client.bindChannel(0x4fff, peerA.withPort(1)))).toBe(508)
    expect(client.bindChannel(0x4000, peerA.withPort(1000)).class).toBe('success')
  })
})

describe('ChannelData', () => {
  it('carries any length from nothing to what a datagram holds', () => {
    const { client } = allocated()
    client.bindChannel(0x4000, peerA)
    for (const length of [0, 1, 3, 4, 1200, 65_503]) {
      expect(client.sendChannelData(0x4000, new Uint8Array(length).fill(7))?.bytes.length).toBe(length)
    }
  })

  it('may be padded, and is relayed without the padding', () => {
    const { client } = allocated()
    client.bindChannel(0x4000, peerA)
    expect(client.raw(Uint8Array.of(0x40, 0, 0, 5, ...text('12345'), 0, 0, 0))?.bytes).toEqual(text('12345'))
  })

  const lies: [string, number[]][] = [
    ['is shorter than its header', [0x40, 0, 0]],
    ['claims a byte more than there is', [0x40, 0, 0, 4, 1, 2, 3]],
    ['claims the most that can be claimed', [0x40, 0, 0xff, 0xff, 1]],
  ]
  it.each(lies)('that %s is dropped', (_name, bytes) => {
    const { harness, client } = allocated()
    client.bindChannel(0x4000, peerA)
    harness.takeOutputs()
    expect(client.raw(Uint8Array.from(bytes))).toBeUndefined()
    expect(harness.server.counters.drops['bad-channel-data']).toBe(1)
    expect(harness.outputs).toEqual([])
  })

  it('of another client\u2019s channel, of no channel and of no allocation is dropped in silence', () => {
    const { harness, client } = allocated()
    client.bindChannel(0x4000, peerA)
    const other = harness.client('bob', 'builder')
    other.allocate()
    harness.takeOutputs()
    expect(other.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(client.sendChannelData(0x4001, text('x'))).toBeUndefined()
    expect(harness.client().sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.drops).toMatchObject({ 'no-channel': 2, 'no-allocation': 1 })
  })

  it('from a peer that is too long for the header before it is dropped', () => {
    const { harness, client, socket } = allocated()
    client.bindChannel(0x4000, peerA)
    expect(harness.fromPeer(socket, peerA, new Uint8Array(65_503))?.bytes.length).toBe(65_507)
    expect(harness.fromPeer(socket, peerA, new Uint8Array(65_504))).toBeUndefined()
    expect(harness.server.counters.drops.oversize).toBe(1)
  })
})

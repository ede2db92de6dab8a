import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { codeOf, listener, listening, peer6, peerA, TurnHarness, text } from '../support/turn-harness.ts'

describe('a client that comes by TCP or TLS', () => {
  it('is answered and relayed for on its own connection', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient()
    const relayed = client.allocate()
    client.bindChannel(0x4000, peerA)
    const up = client.sendChannelData(0x4000, text('hello'))
    expect(up).toMatchObject({ socket: client.relaySocketAt(relayed), destination: peerA.toString() })
    const down = harness.fromPeer(client.relaySocketAt(relayed), peerA, text('hi'))
    expect(down?.socket).toBe(client.socket)
  })

  it('gets ChannelData padded to four bytes, with the length of the data alone', () => {
    const harness = new TurnHarness()
    const [stream, datagram] = [harness.streamClient(), harness.client()]
    for (const client of [stream, datagram]) {
      const relaySocket = client.relaySocketAt(client.allocate())
      client.bindChannel(0x4000, peerA)
      for (const [length, padding] of [
        [0, 0],
        [1, 3],
        [2, 2],
        [3, 1],
        [4, 0],
        [171, 1],
      ] as const) {
        const sent = harness.fromPeer(relaySocket, peerA, new Uint8Array(length).fill(7))!
        const data = Array(length).fill(7)
        const zeros = client === stream ? Array(padding).fill(0) : []
        expect([...sent.bytes]).toEqual([0x40, 0, 0, length, ...data, ...zeros])
      }
    }
  })

  it('gets Data indications, padded as attributes are', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient('tls')
    const relaySocket = client.relaySocketAt(client.allocate())
    client.permit(peerA)
    const { bytes } = harness.fromPeer(relaySocket, peerA, text('hello'))!
    const message = decodeMessage(bytes)
    expect(typeof message === 'string' ? message : message.get('DATA')).toEqual(text('hello'))
  })

  it('is named by its transport in the record of its allocation', () => {
    const harness = new TurnHarness()
    const created: string[] = []
    for (const client of [harness.streamClient('tcp'), harness.streamClient('tls'), harness.client()]) {
      client.allocate()
      for (const output of harness.takeOutputs()) {
        if (output.type === 'allocation-created') created.push(output.allocation.transport)
      }
    }
    expect(created).toEqual(['tcp', 'tls', 'udp'])
  })

  it('loses its allocation at once when its connection is closed', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient()
    const relaySocket = client.relaySocketAt(client.allocate())
    client.bindChannel(0x4000, peerA)
    harness.takeOutputs()
    expect(harness.server.hasAllocation(client.socket, client.address)).toBe(true)
    harness.server.streamClosed(client.socket, client.address)
    harness.drain()
    expect(harness.takeOutputs()).toMatchObject([
      { type: 'close-relay', socket: relaySocket },
      { type: 'allocation-ended', reason: 'disconnected' },
    ])
    expect(harness.server.hasAllocation(client.socket, client.address)).toBe(false)
    expect(harness.server.pollTimeout()).toBeUndefined()
    expect(harness.fromPeer(relaySocket, peerA, text('late'))).toBeUndefined()
  })

  it('loses an allocation that is still being made', () => {
    const harness = new TurnHarness()
    harness.bindPolicy = () => 'later'
    const client = harness.streamClient()
    client.nonce = client.challenge()
    client.exchange(client.encode('Allocate', [['REQUESTED-TRANSPORT', 17]]))
    const [bind] = harness.takeOutputs()
    harness.server.streamClosed(client.socket, client.address)
    harness.drain()
    expect(harness.takeOutputs()).toMatchObject([{ type: 'close-relay' }])
    if (bind?.type === 'bind-relay') harness.server.relayBound(bind.socket, harness.now)
    harness.drain()
    expect(harness.takeOutputs()).toEqual([])
    expect(harness.server.counters.allocations).toBe(0)
  })

  it('may go without an allocation, as for Binding alone', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient()
    harness.server.streamClosed(client.socket, client.address)
    harness.drain()
    expect(harness.outputs).toEqual([])
  })

  it('may have an allocation beside one that its address has by UDP', () => {
    const harness = new TurnHarness()
    const stream = harness.streamClient()
    const datagram = harness.client('alice', 'wonder', stream.address)
    const ports = [stream.allocate().port, datagram.allocate().port]
    expect(ports[0]).not.toBe(ports[1])
    harness.server.streamClosed(stream.socket, stream.address)
    harness.drain()
    expect(harness.server.hasAllocation(listener, stream.address)).toBe(true)
  })

  it('is not held to the limit of unauthenticated answers: its address cannot be a victim', () => {
    const harness = new TurnHarness({ unauthenticatedRate: 1 })
    const binding = () =>
      encodeMessage({
        class: 'request',
        method: 'Binding',
        transactionId: harness.random.bytes(12),
        attributes: [],
      })
    const stream = harness.streamClient()
    const datagram = harness.client('alice', 'wonder', stream.address)
    const answers = (client: typeof stream) =>
      Array.from({ length: 50 }, () => client.exchange(binding())).filter((answer) => answer !== undefined)
    expect(answers(datagram).length).toBeLessThan(10)
    expect(answers(stream)).toHaveLength(50)
    for (let i = 0; i < 50; i++) expect(stream.challenge()).not.toBe('')
  })

  it('is sent no message that its 16-bit length cannot tell', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient()
    const relayed = client.allocate([['REQUESTED-ADDRESS-FAMILY', 'IPv6']])
    client.permit(peer6)
    const longest = new Uint8Array(65_527)
    expect(harness.fromPeer(client.relaySocketAt(relayed), peer6, longest)).toBeUndefined()
    expect(harness.server.counters.drops.oversize).toBe(1)
    client.bindChannel(0x4000, peer6)
    const sent = harness.fromPeer(client.relaySocketAt(relayed), peer6, longest)
    expect(sent?.bytes.length).toBe(4 + 65_528)
  })

  it('sends nothing on that no UDP datagram can carry', () => {
    const harness = new TurnHarness()
    const client = harness.streamClient()
    client.allocate()
    client.bindChannel(0x4000, peerA)
    expect(client.sendChannelData(0x4000, new Uint8Array(65_507))?.bytes.length).toBe(65_507)
    expect(client.sendChannelData(0x4000, new Uint8Array(65_508))).toBeUndefined()
    expect(client.sendChannelData(0x4000, new Uint8Array(65_535))).toBeUndefined()
    expect(harness.server.counters.drops.oversize).toBe(2)
    expect(codeOf(client.request('Refresh'))).toBeUndefined()
  })

  it('has a number of its own', () => {
    const { server } = new TurnHarness()
    expect(() => server.streamOpened(socketId(3), 'tcp', listening)).toThrow(RangeError)
    expect(() => server.addListener(socketId(0x10000), TransportAddress.of('198.51.100.1', 1))).toThrow(
      RangeError,
    )
  })
})

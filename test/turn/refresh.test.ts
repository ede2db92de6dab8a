import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { codeOf, peerA, type TurnClient, TurnHarness, text } from '../support/turn-harness.ts'

/** Whether the client's allocation relays to its permitted peer. */
function relays(client: TurnClient): boolean {
  client.permit(peerA)
  return client.sendIndication(peerA, text('x')) !== undefined
}

describe('Refresh', () => {
  const lifetimes: [string, number | undefined, number][] = [
    ['absent', undefined, 600],
    ['shorter than the default', 10, 600],
    ['between default and maximum', 1800, 1800],
    ['longer than the maximum', 86_400, 3600],
  ]
  it.each(lifetimes)(
    'with a LIFETIME that is %s (%s) sets the lifetime to %i seconds from now',
    (_name, asked, granted) => {
      const harness = new TurnHarness()
      const client = harness.client()
      client.allocate()
      harness.elapse(500)
      const attributes: Attribute[] = asked === undefined ? [] : [['LIFETIME', asked]]
      expect(client.request('Refresh', attributes).get('LIFETIME')).toBe(granted)
      harness.elapse(granted - 1)
      expect(harness.server.counters.allocations).toBe(1)
      harness.elapse(1)
      expect(harness.server.counters.allocations).toBe(0)
    },
  )

  it('with LIFETIME 0 ends the allocation at once, answers, and closes the relay socket', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.allocate()
    const answer = client.request('Refresh', [['LIFETIME', 0]])
    expect([answer.class, answer.get('LIFETIME')]).toEqual(['success', 0])
    expect(harness.outputs.map((output) => output.type)).toEqual([
      'close-relay',
      'allocation-ended',
      'transmit',
    ])
    expect(harness.outputs[1]).toMatchObject({ reason: 'released' })
    expect(harness.relaySockets.size).toBe(0)
    expect(harness.server.pollTimeout()).toBeUndefined()
  })

  it('of an allocation that is gone is answered 437, for the client to know that', () => {
    const client = new TurnHarness().client()
    client.allocate()
    client.request('Refresh', [['LIFETIME', 0]])
    expect(codeOf(client.request('Refresh', [['LIFETIME', 0]]))).toBe(437)
    expect(codeOf(client.request('Refresh'))).toBe(437)
  })

  it('by another user is refused with 441, and changes nothing', () => {
    const harness = new TurnHarness()
    const alice = harness.client()
    alice.allocate()
    const bob = harness.client('bob', 'builder', alice.address)
    expect(codeOf(bob.request('Refresh', [['LIFETIME', 0]]))).toBe(441)
    expect(relays(alice)).toBe(true)
  })

  it('with a family that the allocation has not is refused with 443', () => {
    const client = new TurnHarness().client()
    client.allocate()
    expect(codeOf(client.request('Refresh', [['REQUESTED-ADDRESS-FAMILY', 'IPv6']]))).toBe(443)
    expect(client.request('Refresh', [['REQUESTED-ADDRESS-FAMILY', 'IPv4']]).class).toBe('success')
  })

  const refusals: [string, Attribute[], number][] = [
    ['EVEN-PORT', [['EVEN-PORT', { reserveNext: false }]], 420],
    ['REQUESTED-TRANSPORT', [['REQUESTED-TRANSPORT', 17]], 420],
    ['DONT-FRAGMENT', [['DONT-FRAGMENT', true]], 420],
  ]
  it.each(refusals)('with %s, which is for others, is refused', (_name, attributes, code) => {
    const client = new TurnHarness().client()
    client.allocate()
    expect(codeOf(client.request('Refresh', attributes))).toBe(code)
  })

  it('with a malformed LIFETIME is refused with 400, and the allocation stays', () => {
    const client = new TurnHarness().client()
    client.allocate()
    expect(codeOf(client.exchange(client.encodeRaw('Refresh', 0x000d, Uint8Array.of(0, 0, 0))))).toBe(400)
    expect(relays(client)).toBe(true)
  })
})

describe('an allocation', () => {
  it('ends after its lifetime: socket closed, port free, silence for data, 437 for requests', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_000 } })
    const client = harness.client()
    const relayed = client.allocate()
    client.permit(peerA)
    client.bindChannel(0x4000, peerA)
    const socket = client.relaySocketAt(relayed)
    harness.elapse(599.999)
    harness.takeOutputs()
    harness.elapse(0.001)
    expect(harness.outputs).toMatchObject([
      { type: 'close-relay', socket },
      { type: 'allocation-ended', reason: 'expired' },
    ])
    harness.takeOutputs()
    expect(client.sendIndication(peerA, text('late'))).toBeUndefined()
    expect(client.sendChannelData(0x4000, text('late'))).toBeUndefined()
    expect(harness.fromPeer(socket, peerA, text('late'))).toBeUndefined()
    expect(harness.outputs).toEqual([])
    client.nonce = undefined
    expect(codeOf(client.permit(peerA))).toBe(437)
    expect(client.allocate().port).toBe(50_000)
  })

  it('leaves nothing to wait for when it ends before its permissions and channels', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.allocate()
    client.permit(peerA)
    client.bindChannel(0x4000, peerA)
    client.request('Refresh', [['LIFETIME', 0]])
    expect(harness.server.pollTimeout()).toBeUndefined()
  })

  it('counts application data both ways, without headers', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const relayed = client.allocate()
    const socket = client.relaySocketAt(relayed)
    client.permit(peerA)
    client.sendIndication(peerA, text('12345'))
    client.bindChannel(0x4000, peerA)
    client.sendChannelData(0x4000, text('123'))
    harness.fromPeer(socket, peerA, text('1234567'))
    client.request('Refresh', [['LIFETIME', 0]])
    expect(harness.outputs.find((output) => output.type === 'allocation-ended')).toMatchObject({
      allocation: { bytesFromClient: 8, packetsFromClient: 2, bytesToClient: 7, packetsToClient: 1 },
    })
  })

  it('is ended with all others when the server stops', () => {
    const harness = new TurnHarness()
    for (let i = 0; i < 3; i++) harness.client().allocate()
    harness.takeOutputs()
    harness.server.closeAll()
    harness.drain()
    expect(harness.outputs.filter((output) => output.type === 'allocation-ended')).toHaveLength(3)
    expect(harness.relaySockets.size).toBe(0)
    expect(harness.server.pollTimeout()).toBeUndefined()
    expect(harness.server.counters.allocations).toBe(0)
  })
})

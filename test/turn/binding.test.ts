import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { codeOf, TurnHarness } from '../support/turn-harness.ts'

const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i)
const binding = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })

describe('Binding', () => {
  const clients: [string, number][] = [
    ['203.0.113.7:40000', 32],
    ['[2001:db8::7]:40000', 44],
    ['[::ffff:203.0.113.7]:40000', 32],
  ]
  it.each(clients)('tells %s its address in %i bytes, and nothing else', (address, size) => {
    const harness = new TurnHarness()
    const client = harness.client('alice', 'wonder', TransportAddress.parse(address))
    const answer = client.exchange(binding)
    expect(answer?.bytes.length).toBe(size)
    expect(answer?.types()).toEqual([0x0020])
    expect([answer?.class, answer?.method, answer?.transactionId]).toEqual([
      'success',
      'Binding',
      transactionId,
    ])
    expect(answer?.get('XOR-MAPPED-ADDRESS')?.equals(client.address)).toBe(true)
    expect(harness.outputs.map((output) => output.type)).toEqual(['transmit'])
  })

  it('asks for no credentials, and heeds none', () => {
    const client = new TurnHarness().client('nobody', 'knows')
    client.nonce = 'stale'
    const answer = client.exchange(client.encode('Binding', []))
    expect(answer?.types()).toEqual([0x0020])
  })

  it('answers 420 to what it does not know, and names it', () => {
    const client = new TurnHarness().client()
    const answer = client.exchange(
      client.encode(
        'Binding',
        [
          ['PRIORITY', 1],
          ['SOFTWARE', 'x'],
          ['USE-CANDIDATE', true],
        ],
        {
          unauthenticated: true,
        },
      ),
    )
    expect(codeOf(answer)).toBe(420)
    expect(answer?.get('UNKNOWN-ATTRIBUTES')).toEqual([0x0024, 0x0025])
  })

  it('names each unknown attribute once, and no more than fit into 44 bytes', () => {
    const client = new TurnHarness().client()
    const attributes = Array.from({ length: 300 }, (_, i) => [0x10, i & 0x7f, 0, 0]).flat()
    const bytes = new Uint8Array([...binding, ...attributes])
    bytes.set([attributes.length >> 8, attributes.length & 255], 2)
    const answer = client.exchange(bytes)
    expect(answer?.get('UNKNOWN-ATTRIBUTES')).toEqual([0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x1005])
    expect(answer?.bytes.length).toBeLessThanOrEqual(44)
  })

  it('is answered each time it is asked', () => {
    const client = new TurnHarness().client()
    const first = client.exchange(binding)?.bytes.slice()
    expect(client.exchange(binding)?.bytes).toEqual(first)
  })

  it('checks a fingerprint that is there, and sends none', () => {
    const client = new TurnHarness().client()
    const bytes = encodeMessage(
      { class: 'request', method: 'Binding', transactionId, attributes: [] },
      { fingerprint: true },
    )
    expect(client.exchange(bytes)?.types()).toEqual([0x0020])
    bytes[bytes.length - 1]! ^= 1
    expect(client.exchange(bytes)).toBeUndefined()
    expect(client.harness.server.counters.drops['bad-fingerprint']).toBe(1)
  })
})

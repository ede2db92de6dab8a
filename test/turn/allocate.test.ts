import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { codeOf, listening, relayAddress6, TurnHarness } from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]

describe('Allocate', () => {
  it('binds a relay socket, then answers with relayed and mapped address and lifetime', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const answer = client.request('Allocate', [udp])
    expect(harness.outputs.map((output) => output.type)).toEqual([
      'bind-relay',
      'allocation-created',
      'transmit',
    ])
    const [bind] = harness.outputs
    const relayed = answer.get('XOR-RELAYED-ADDRESS')!
    expect(bind?.type === 'bind-relay' && bind.address.equals(relayed)).toBe(true)
    expect(relayed.port).toBeGreaterThanOrEqual(50_000)
    expect(relayed.port).toBeLessThanOrEqual(50_999)
    expect(answer.get('XOR-MAPPED-ADDRESS')?.equals(client.address)).toBe(true)
    expect(answer.get('LIFETIME')).toBe(600)
    expect(harness.server.pollTimeout()).toBe(harness.now + 600_000)
  })

  const lifetimes: [string, number | undefined, number][] = [
    ['absent', undefined, 600],
    ['zero', 0, 600],
    ['shorter than the default', 1, 600],
    ['between default and maximum', 1200, 1200],
    ['longer than the maximum', 7200, 3600],
    ['the largest number', 2 ** 32 - 1, 3600],
  ]
  it.each(lifetimes)('grants for a LIFETIME that is %s (%s) %s seconds', (_name, asked, granted) => {
    const client = new TurnHarness().client()
    const more: Attribute[] = asked === undefined ? [] : [['LIFETIME', asked]]
    expect(client.request('Allocate', [udp, ...more]).get('LIFETIME')).toBe(granted)
  })

  it('grants the maximum where that is below the default', () => {
    const client = new TurnHarness({ maxLifetime: 120 }).client()
    expect(client.request('Allocate', [udp]).get('LIFETIME')).toBe(120)
  })

  const refusals: [string, Attribute[], number][] = [
    ['no REQUESTED-TRANSPORT', [], 400],
    ['TCP as transport', [['REQUESTED-TRANSPORT', 6]], 442],
    ['an address family that does not exist', [udp, ['REQUESTED-ADDRESS-FAMILY', 9]], 440],
    ['DONT-FRAGMENT', [udp, ['DONT-FRAGMENT', true]], 420],
  ]
  it.each(refusals)('refuses %s', (_name, attributes, code) => {
    const harness = new TurnHarness()
    expect(codeOf(harness.client().request('Allocate', attributes))).toBe(code)
    expect(harness.relaySockets.size).toBe(0)
  })

  it('gives an even port to who asks for one, until there is none', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_001, max: 50_005 } })
    const even: Attribute = ['EVEN-PORT', { reserveNext: false }]
    const ports = [harness.client().allocate([even]).port, harness.client().allocate([even]).port]
    expect(ports.sort()).toEqual([50_002, 50_004])
    expect(codeOf(harness.client().request('Allocate', [udp, even]))).toBe(508)
    harness.client().allocate()
  })

  it('names the attribute that it does not know', () => {
    const client = new TurnHarness().client()
    const answer = client.request('Allocate', [udp, ['DONT-FRAGMENT', true]])
    expect(answer.get('UNKNOWN-ATTRIBUTES')).toEqual([0x001a])
  })

  it('refuses a malformed attribute with 400', () => {
    const client = new TurnHarness().client()
    client.nonce = client.challenge()
    // REQUESTED-TRANSPORT of three bytes: encoded as a text attribute, then renamed before it is signed.
    const bytes = client.encodeRaw('Allocate', 0x0019, Uint8Array.of(17, 0, 0))
    expect(codeOf(client.exchange(bytes))).toBe(400)
  })

  it('gives an IPv6 address to who asks for it, and 440 where there is none', () => {
    const answer = new TurnHarness().client().request('Allocate', [udp, ['REQUESTED-ADDRESS-FAMILY', 'IPv6']])
    expect(answer.get('XOR-RELAYED-ADDRESS')?.ip).toBe(relayAddress6.ip)
    const harness = new TurnHarness({ relays: [{ address: relayAddress6, external: relayAddress6 }] })
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(440)
  })

  it('answers a retransmission with the same bytes and binds nothing more', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp])
    const first = client.exchange(bytes)!.bytes.slice()
    harness.elapse(3)
    expect(client.exchange(bytes)!.bytes).toEqual(first)
    expect(harness.relaySockets.size).toBe(1)
  })

  it('answers another Allocate on the same five-tuple with 437', () => {
    const client = new TurnHarness().client()
    client.allocate()
    expect(codeOf(client.request('Allocate', [udp]))).toBe(437)
  })

  it('swallows a retransmission while the relay socket is being bound, and answers once', () => {
    const harness = new TurnHarness()
    harness.bindPolicy = () => 'later'
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp])
    expect(client.exchange(bytes)).toBeUndefined()
    const bind = harness.outputs.find((output) => output.type === 'bind-relay')!
    expect(client.exchange(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(codeOf(client.request('Refresh'))).toBe(437)
    harness.takeOutputs()
    harness.server.relayBound(bind.socket, harness.now)
    harness.drain()
    expect(client.lastAnswer()?.class).toBe('success')
  })

  it('skips ports that the system has in use', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_004 } })
    const tried: number[] = []
    harness.bindPolicy = ({ port }) => {
      tried.push(port)
      return port === 50_002 ? undefined : 'EADDRINUSE'
    }
    expect(harness.client().allocate().port).toBe(50_002)
    expect(new Set(tried).size).toBe(tried.length)
  })

  it.each(['EADDRINUSE', 'EMFILE', 'EADDRNOTAVAIL'])(
    'answers 508 when every bind fails with %s, and recovers',
    (reason) => {
      const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_003 } })
      harness.bindPolicy = () => reason
      const client = harness.client()
      expect(codeOf(client.request('Allocate', [udp]))).toBe(508)
      harness.bindPolicy = () => undefined
      const ports = Array.from({ length: 4 }, () => harness.client().allocate().port)
      expect(ports.sort()).toEqual([50_000, 50_001, 50_002, 50_003])
      expect(client.request('Refresh').get('ERROR-CODE')?.code).toBe(437)
    },
  )

  it('answers 508 at once when no port is left, and gives ports back', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_001 } })
    const first = harness.client()
    first.allocate()
    harness.client().allocate()
    const third = harness.client()
    expect(codeOf(third.request('Allocate', [udp]))).toBe(508)
    expect(first.request('Refresh', [['LIFETIME', 0]]).get('LIFETIME')).toBe(0)
    expect(third.allocate().port).toBeGreaterThanOrEqual(50_000)
  })

  it('holds a user to the quota, and frees it', () => {
    const harness = new TurnHarness({ userQuota: 2 })
    const first = harness.client()
    first.allocate()
    harness.client().allocate()
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    harness.client('bob', 'builder').allocate()
    first.request('Refresh', [['LIFETIME', 0]])
    harness.client().allocate()
  })

  it('draws ports evenly over the whole range', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_099 } })
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 500; i++) {
      const client = harness.client()
      counts[Math.floor((client.allocate().port - 50_000) / 10)]!++
      client.request('Refresh', [['LIFETIME', 0]])
    }
    // Chi-square with 9 degrees of freedom: 27.9 is exceeded once in 1,000 runs, and the seed is fixed.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 50) ** 2 / 50, 0)
    expect(chiSquare).toBeLessThan(27.9)
  })

  it('tells the external address and binds the private one', () => {
    const address = TransportAddress.of('10.0.0.7', 0)
    const harness = new TurnHarness({ relays: [{ address, external: listening.withPort(0) }] })
    expect(harness.client().allocate().ip).toBe(listening.ip)
    expect([...harness.relaySockets.values()].map((local) => local.ip)).toEqual([address.ip])
  })
})

/** NAT behavior discovery: RFC 5780 §6, §6.1, §7. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { AlternateAddresses } from '../../src/turn/behavior-discovery.ts'
import { codeOf, TurnHarness } from '../support/turn-harness.ts'

/** A1:P1, A1:P2, A2:P1, A2:P2, on sockets 10 to 13. */
const addresses = ['198.51.100.11:3478', '198.51.100.11:3479', '198.51.100.12:3478', '198.51.100.12:3479']
const ipv6Addresses = ['[2600::1]:3478', '[2600::1]:3479', '[2600::2]:3478', '[2600::2]:3479']
const firstSocket = 10
const client = TransportAddress.of('203.0.113.9', 40_000)

function quad(texts: readonly string[], transport: 'udp' | 'tcp' = 'udp'): AlternateAddresses {
  const bound = texts.map((text) => TransportAddress.parse(text))
  return { transport, bound, advertised: bound }
}

function discovering(group = quad(addresses), opened = 4): TurnHarness {
  const harness = new TurnHarness({ alternateAddresses: [group] })
  group.bound.slice(0, opened).forEach((address, i) => {
    harness.server.addListener(socketId(firstSocket + i), address, group.transport)
  })
  return harness
}

interface Answer {
  /** Which of the four sockets it has left. */
  readonly from: number
  readonly to: string
  readonly message: Message
  readonly length: number
}

interface Question {
  readonly at?: number
  readonly source?: TransportAddress
  readonly attributes?: readonly Attribute[]
}

function ask(harness: TurnHarness, { at = 0, source = client, attributes = [] }: Question = {}): Answer[] {
  const bytes = encodeMessage({
    class: 'request',
    method: 'Binding',
    transactionId: harness.random.bytes(12),
    attributes,
  })
  return askBytes(harness, bytes, at, source)
}

function askBytes(harness: TurnHarness, bytes: Uint8Array, at = 0, source = client): Answer[] {
  harness.takeOutputs()
  harness.handle({ socket: socketId(firstSocket + at), source, bytes })
  return harness.takeOutputs().flatMap((output) => {
    if (output.type !== 'transmit') return []
    const message = decodeMessage(output.bytes)
    if (typeof message === 'string') throw new Error(message)
    return [
      {
        from: output.socket - firstSocket,
        to: `${output.destination}`,
        message,
        length: output.bytes.length,
      },
    ]
  })
}

const change = (changeIp: boolean, changePort: boolean): Attribute => [
  'CHANGE-REQUEST',
  { changeIp, changePort },
]

describe('a Binding answer at the alternate addresses', () => {
  /** Da:Dp by number, the flags, and the numbers of source and OTHER-ADDRESS: RFC 5780 §6.1, table 1. */
  const rows: [number, boolean, boolean, number][] = [0, 1, 2, 3].flatMap((at) => [
    [at, false, false, at],
    [at, true, false, at ^ 2],
    [at, false, true, at ^ 1],
    [at, true, true, at ^ 3],
  ])
  it.each(rows)('asked at %i to change address %s and port %s leaves from %i', (at, ip, port, from) => {
    const [answer, ...more] = ask(discovering(), { at, attributes: [change(ip, port)] })
    expect(more).toEqual([])
    expect(answer?.from).toBe(from)
    expect(answer?.to).toBe(`${client}`)
    expect(`${answer?.message.get('RESPONSE-ORIGIN')}`).toBe(addresses[from])
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(addresses[at ^ 3])
  })

  it('has both forms of the mapped address, origin and other address, also unasked', () => {
    const [answer] = ask(discovering())
    expect(answer?.message.types()).toEqual([0x0020, 0x0001, 0x802b, 0x802c])
    expect(`${answer?.message.get('MAPPED-ADDRESS')}`).toBe(`${client}`)
    expect(`${answer?.message.get('XOR-MAPPED-ADDRESS')}`).toBe(`${client}`)
  })

  it('is the same over IPv6', () => {
    const source = TransportAddress.of('2600::99', 5000)
    const [answer] = ask(discovering(quad(ipv6Addresses)), { source, attributes: [change(true, true)] })
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(ipv6Addresses[3])
    expect(answer?.from).toBe(3)
  })

  it('tells the public addresses of a 1:1 NAT', () => {
    const group = quad(['10.0.0.1:3478', '10.0.0.1:3479', '10.0.0.2:3478', '10.0.0.2:3479'])
    const harness = discovering({ ...group, advertised: quad(addresses).bound })
    const [answer] = ask(harness, { attributes: [change(true, false)] })
    expect(`${answer?.message.get('RESPONSE-ORIGIN')}`).toBe(addresses[2])
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(addresses[3])
  })
})

describe('RESPONSE-PORT', () => {
  it('has the answer sent to that port of the same address', () => {
    const [answer] = ask(discovering(), { attributes: [['RESPONSE-PORT', 50_000]] })
    expect(answer).toMatchObject({ from: 0, to: '203.0.113.9:50000' })
    expect(answer?.message.get('XOR-MAPPED-ADDRESS')?.port).toBe(40_000)
  })

  it('goes together with CHANGE-REQUEST', () => {
    const [answer] = ask(discovering(), { attributes: [['RESPONSE-PORT', 50_000], change(true, true)] })
    expect(answer).toMatchObject({ from: 3, to: '203.0.113.9:50000' })
  })

  it.each([2, 4])('is read when its length is %i', (length) => {
    const harness = discovering()
    const header = [0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, ...harness.random.bytes(12)]
    const bytes = Uint8Array.of(...header, 0, 0x27, 0, length, 0xc3, 0x50, 0, 0)
    expect(askBytes(harness, bytes)[0]?.to).toBe('203.0.113.9:50000')
  })

  it('is refused with 400 when it is 0, malformed, or comes with PADDING', () => {
    const harness = discovering()
    const padding: Attribute = ['PADDING', new Uint8Array(100)]
    for (const attributes of [
      [['RESPONSE-PORT', 0]],
      [['RESPONSE-PORT', 50_000], padding],
    ] as Attribute[][]) {
      const [answer] = ask(harness, { attributes })
      expect(codeOf(answer?.message)).toBe(400)
      expect(answer?.to).toBe(`${client}`)
    }
    const header = [0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, ...harness.random.bytes(12)]
    const bytes = Uint8Array.of(...header, 0, 0x27, 0, 8, 0xc3, 0x50, 0, 0, 0, 0, 0, 0)
    expect(codeOf(askBytes(harness, bytes)[0]?.message)).toBe(400)
  })

  it('never makes the server write to itself', () => {
    const harness = discovering()
    const source = TransportAddress.of('198.51.100.11', 40_000)
    expect(ask(harness, { source, attributes: [['RESPONSE-PORT', 3478]] })).toEqual([])
    expect(harness.server.counters.drops['bad-source']).toBe(1)
  })
})

describe('PADDING', () => {
  it.each([72, 200, 1500, 1501, 65_000])(
    'of %i bytes makes the answer at most as long as the question',
    (length) => {
      const harness = discovering()
      const attributes: Attribute[] = [['PADDING', new Uint8Array(length)]]
      const [answer] = ask(harness, { attributes })
      const question = 20 + 4 + ((length + 3) & ~3)
      expect(answer?.message.has('PADDING')).toBe(true)
      expect(answer?.length).toBeLessThanOrEqual(question)
      expect(answer?.length).toBeGreaterThan(question - 4)
    },
  )

  it('that is short adds four bytes to the answer and no more', () => {
    const harness = discovering()
    const bare = ask(harness)[0]!.length
    expect(ask(harness, { attributes: [['PADDING', new Uint8Array(4)]] })[0]?.length).toBe(bare + 4)
  })

  it('goes together with CHANGE-REQUEST', () => {
    const [answer] = ask(discovering(), {
      attributes: [change(true, true), ['PADDING', new Uint8Array(1500)]],
    })
    expect(answer?.from).toBe(3)
    expect(answer?.message.get('PADDING')?.length).toBeGreaterThan(1400)
  })
})

describe('without a second address', () => {
  it('a Binding answer is the mapped address and nothing else', () => {
    const harness = discovering(quad(addresses), 3)
    const [answer] = ask(harness)
    expect(answer?.message.types()).toEqual([0x0020])
    expect(answer?.length).toBe(32)
  })

  const attributes: [Attribute, number][] = [
    [change(false, false), 0x0003],
    [change(true, true), 0x0003],
    [['RESPONSE-PORT', 50_000], 0x0027],
    [['PADDING', new Uint8Array(4)], 0x0026],
  ]
  it.each(attributes)('%j is unknown: 420, which names it', (attribute, type) => {
    for (const harness of [discovering(quad(addresses), 3), new TurnHarness()]) {
      const [answer] = ask(harness, { attributes: [attribute] })
      expect(codeOf(answer?.message)).toBe(420)
      expect(answer?.message.get('UNKNOWN-ATTRIBUTES')).toEqual([type])
      expect(answer).toMatchObject({ from: 0, to: `${client}` })
    }
  })

  it('other sockets of the server know nothing of it', () => {
    const harness = discovering()
    const [answer] = ask(harness, { at: -10, attributes: [change(true, true)] })
    expect(codeOf(answer?.message)).toBe(420)
  })
})

describe('behavior discovery and the rest of the server', () => {
  it('counts its answers against the limit of the source', () => {
    const harness = new TurnHarness({ alternateAddresses: [quad(addresses)], unauthenticatedRate: 1 })
    quad(addresses).bound.forEach((address, i) => {
      harness.server.addListener(socketId(firstSocket + i), address)
    })
    const answers = Array.from({ length: 10 }, (_, at) => ask(harness, { at: at & 3 }).length)
    expect(answers.filter((count) => count > 0).length).toBeLessThan(5)
  })

  it('answers nobody who speaks from one of the four addresses', () => {
    expect(ask(discovering(), { source: TransportAddress.parse(addresses[2]!) })).toEqual([])
  })

  it('answers 420 to other attributes that have to be understood', () => {
    const [answer] = ask(discovering(), { attributes: [['EVEN-PORT', { reserveNext: false }]] })
    expect(codeOf(answer?.message)).toBe(420)
  })
})

describe('over a stream', () => {
  function connected(): { harness: TurnHarness; at: number } {
    const harness = discovering(quad(addresses, 'tcp'))
    const socket = socketId(0x4000_0000)
    harness.server.streamOpened(socket, 'tcp', TransportAddress.parse(addresses[1]!))
    return { harness, at: socket - firstSocket }
  }

  it('origin and other address are told, and padding is returned', () => {
    const { harness, at } = connected()
    const [answer] = ask(harness, { at, attributes: [['PADDING', new Uint8Array(400)]] })
    expect(answer?.from).toBe(at)
    expect(`${answer?.message.get('RESPONSE-ORIGIN')}`).toBe(addresses[1])
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(addresses[2])
    expect(answer?.message.has('PADDING')).toBe(true)
  })

  it.each([[change(true, false)], [['RESPONSE-PORT', 50_000] satisfies Attribute]])(
    'an answer cannot come from elsewhere: %j is unknown',
    (attribute) => {
      const { harness, at } = connected()
      expect(codeOf(ask(harness, { at, attributes: [attribute] })[0]?.message)).toBe(420)
    },
  )

  it('nothing of it is told where the stream has no alternates', () => {
    const harness = discovering()
    const socket = socketId(0x4000_0000)
    harness.server.streamOpened(socket, 'tcp', TransportAddress.parse(addresses[1]!))
    expect(ask(harness, { at: socket - firstSocket })[0]?.message.types()).toEqual([0x0020])
  })

  it('is forgotten with the connection', () => {
    const { harness, at } = connected()
    const socket = socketId(firstSocket + at)
    harness.server.streamClosed(socket, client)
    harness.server.streamOpened(socket, 'tcp', TransportAddress.of('198.51.100.7', 3478))
    expect(ask(harness, { at })[0]?.message.types()).toEqual([0x0020])
  })
})

import { describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/stun/encode.ts'
import { type FramingOptions, StreamFramer, streamPadding } from '../../src/stun/stream-framing.ts'
import { seededRandom } from '../support/random.ts'

const random = seededRandom(7)
const binding = encodeMessage({
  class: 'request',
  method: 'Binding',
  transactionId: random.bytes(12),
  attributes: [['SOFTWARE', 'a client']],
})
const indication = encodeMessage({
  class: 'indication',
  method: 'Data',
  transactionId: random.bytes(12),
  attributes: [['DATA', random.bytes(171)]],
})

function channelData(number: number, data: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(number >> 8, number & 255, data.length >> 8, data.length & 255), data)
}

function padded(message: Uint8Array): Uint8Array {
  return concat(message, new Uint8Array(streamPadding(message.length)))
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Every message that comes out when the pieces go in one after the other. */
function read(framer: StreamFramer, ...pieces: readonly Uint8Array[]): string[] {
  const messages: string[] = []
  for (const piece of pieces) {
    framer.push(piece)
    for (let message = framer.next(); message !== undefined; message = framer.next()) {
      messages.push(hex(message))
    }
  }
  return messages
}

function pieces(bytes: Uint8Array, size: () => number): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + size(), bytes.length)
    parts.push(bytes.slice(at, end))
    at = end
  }
  return parts
}

const messages = [
  binding,
  channelData(0x4000, random.bytes(172)),
  indication,
  channelData(0x4fff, random.bytes(1)),
  channelData(0x4001, new Uint8Array(0)),
  channelData(0x4001, random.bytes(170)),
  channelData(0x4001, random.bytes(171)),
  binding,
]
const stream = concat(...messages.map(padded))
const expected = messages.map(hex)

describe('StreamFramer', () => {
  it('finds every message of a stream that arrives in one piece', () => {
    expect(read(new StreamFramer(), stream)).toEqual(expected)
  })

  it('finds every message of a stream that is split anywhere', () => {
    for (let at = 0; at <= stream.length; at++) {
      const framer = new StreamFramer()
      expect(read(framer, stream.slice(0, at), stream.slice(at)), `split at ${at}`).toEqual(expected)
      expect(framer.partialBytes).toBe(0)
    }
  })

  it('finds every message of a stream that is split in three anywhere', () => {
    const short = concat(...[binding, channelData(0x4000, random.bytes(5)), binding].map(padded))
    const whole = read(new StreamFramer(), short)
    for (let first = 0; first <= short.length; first++) {
      for (let second = first; second <= short.length; second++) {
        const parts = [short.slice(0, first), short.slice(first, second), short.slice(second)]
        expect(read(new StreamFramer(), ...parts), `split at ${first} and ${second}`).toEqual(whole)
      }
    }
  })

  it('finds every message of a stream that comes byte by byte', () => {
    expect(read(new StreamFramer(), ...pieces(stream, () => 1))).toEqual(expected)
  })

  it('finds every message of a stream in pieces of any size', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const sizes = seededRandom(seed)
      const parts = pieces(stream, () => 1 + sizes.below(1 + sizes.below(400)))
      expect(read(new StreamFramer(), ...parts), `seed ${seed}`).toEqual(expected)
    }
  })

  it('finds 100 messages that arrive together', () => {
    const many = Array.from({ length: 100 }, (_, i) =>
      i % 3 === 0 ? binding : channelData(0x4000 + i, random.bytes(i)),
    )
    expect(read(new StreamFramer(), concat(...many.map(padded)))).toEqual(many.map(hex))
  })

  it('gives a whole message as a view of what arrived, without a copy', () => {
    const framer = new StreamFramer()
    const chunk = concat(binding, binding)
    framer.push(chunk)
    expect(framer.next()?.buffer).toBe(chunk.buffer)
    expect(framer.next()?.buffer).toBe(chunk.buffer)
  })

  it('takes the longest messages there are, in pieces', () => {
    const longStun = new Uint8Array(20 + 0xfffc)
    longStun.set(binding.subarray(0, 20))
    longStun.set([0xff, 0xfc], 2)
    const longData = channelData(0x4000, random.bytes(0xffff))
    const parts = pieces(concat(longStun, padded(longData)), () => 1400)
    expect(read(new StreamFramer(), ...parts)).toEqual([hex(longStun), hex(longData)])
  })

  it('measures a message by its announced length, beyond 65,535 bytes too (CVE-2026-68552)', () => {
    // A length that is cut to 16 bits after the header is added, 65,552 - 65,536, would end this message at byte 16.
    const long = new Uint8Array(20 + 0xfffc)
    long.set(binding.subarray(0, 20))
    long.set([0xff, 0xfc], 2)
    const framer = new StreamFramer()
    expect(read(framer, long.slice(0, 0xfff0))).toEqual([])
    expect(framer.partialBytes).toBe(0xfff0)
    expect(read(framer, concat(long.slice(0xfff0), binding))).toEqual([hex(long), hex(binding)])
  })

  const strangers: [string, Uint8Array, string, FramingOptions?][] = [
    ['HTTP', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'), 'not-turn'],
    ['a TLS handshake', Uint8Array.of(0x16, 3, 1, 2, 0, 1), 'not-turn'],
    ['SSH', new TextEncoder().encode('SSH-2.0-OpenSSH_10\r\n'), 'not-turn'],
    ['ChannelData before any message', padded(messages[1]!), 'not-turn'],
    ['RTP behind a message', concat(binding, Uint8Array.of(0x80)), 'not-turn'],
    ['a channel beyond 0x4fff', concat(binding, channelData(0x5000, binding)), 'not-turn'],
    [
      'a channel beyond 0x7fff',
      concat(binding, Uint8Array.of(0x80)),
      'not-turn',
      { allowLegacyChannels: true },
    ],
    ['a length that is not whole words', Uint8Array.of(0, 1, 0, 3), 'wrong-length'],
    ['a STUN message without the cookie', concat(binding.slice(0, 4), new Uint8Array(16)), 'wrong-cookie'],
  ]
  it.each(strangers)('ends the stream at %s', (_name, bytes, fault, options) => {
    for (const size of [bytes.length, 1]) {
      const framer = new StreamFramer(options)
      read(framer, ...pieces(bytes, () => size))
      expect(framer.fault).toBe(fault)
      expect(read(framer, binding)).toEqual([])
    }
  })

  it('gives the messages before a fault', () => {
    const framer = new StreamFramer()
    expect(read(framer, concat(binding, padded(messages[1]!), Uint8Array.of(0xff)))).toEqual(
      expected.slice(0, 2),
    )
    expect(framer.fault).toBe('not-turn')
  })

  it('takes the channels of RFC 5766 where they are allowed', () => {
    const legacy = channelData(0x7ffe, random.bytes(8))
    const framer = new StreamFramer({ allowLegacyChannels: true })
    expect(read(framer, concat(binding, legacy))).toEqual([hex(binding), hex(legacy)])
  })

  it('holds no more memory than has arrived, whatever length is announced', () => {
    const before = process.memoryUsage().arrayBuffers
    const framers = Array.from({ length: 1000 }, () => {
      const framer = new StreamFramer()
      expect(
        read(framer, concat(binding.slice(0, 2), Uint8Array.of(0xff, 0xfc), binding.slice(4, 8))),
      ).toEqual([])
      return framer
    })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024)
    expect(framers.every(({ partialBytes }) => partialBytes === 8)).toBe(true)
  })

  it('hands over what stands behind the last message that was read', () => {
    const framer = new StreamFramer()
    framer.push(concat(binding, Uint8Array.of(1, 2, 3)))
    expect(hex(framer.next()!)).toBe(hex(binding))
    expect([...framer.takeRest()]).toEqual([1, 2, 3])
    expect(framer.takeRest().length).toBe(0)
  })

  it('hands over what it has kept of a message that is not whole', () => {
    const framer = new StreamFramer()
    expect(read(framer, concat(binding, Uint8Array.of(0, 1)))).toEqual([hex(binding)])
    framer.push(Uint8Array.of(0, 8))
    expect([...framer.takeRest()]).toEqual([0, 1, 0, 8])
  })

  it('refuses more bytes while messages are still to be read', () => {
    const framer = new StreamFramer()
    framer.push(concat(binding, binding))
    framer.next()
    expect(() => framer.push(binding)).toThrow(RangeError)
  })
})

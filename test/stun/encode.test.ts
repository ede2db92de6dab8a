import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeMessage, type OutgoingMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { classOf, encodeMessageType, methodNumberOf, methods } from '../../src/stun/methods.ts'
import { always } from '../support/property.ts'

const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i)
const message: OutgoingMessage = { class: 'request', method: 'Binding', transactionId, attributes: [] }

function decoded(bytes: Uint8Array): Message {
  const read = decodeMessage(bytes)
  if (typeof read === 'string') throw new Error(read)
  return read
}

describe('the message type', () => {
  const types: [number, OutgoingMessage['class'], string][] = [
    [0x0001, 'request', 'Binding'],
    [0x0011, 'indication', 'Binding'],
    [0x0101, 'success', 'Binding'],
    [0x0111, 'error', 'Binding'],
    [0x0003, 'request', 'Allocate'],
    [0x0104, 'success', 'Refresh'],
    [0x0016, 'indication', 'Send'],
    [0x0017, 'indication', 'Data'],
    [0x0008, 'request', 'CreatePermission'],
    [0x0119, 'error', 'ChannelBind'],
    [0x000a, 'request', 'Connect'],
    [0x000b, 'request', 'ConnectionBind'],
    [0x001c, 'indication', 'ConnectionAttempt'],
  ]
  it.each(types)('0x%s is %s of %s', (type, messageClass, method) => {
    expect(encodeMessageType(messageClass, methods[method as keyof typeof methods])).toBe(type)
    expect(classOf(type)).toBe(messageClass)
    expect(methodNumberOf(type)).toBe(methods[method as keyof typeof methods])
  })

  it('is one of 14 bits for every method and class, and tells both again', () => {
    const seen = new Set<number>()
    for (let method = 0; method < 0x1000; method++) {
      for (const messageClass of ['request', 'indication', 'success', 'error'] as const) {
        const type = encodeMessageType(messageClass, method)
        seen.add(type)
        if (classOf(type) !== messageClass || methodNumberOf(type) !== method) throw new Error(`${type}`)
      }
    }
    expect(seen.size).toBe(0x4000)
    expect(Math.max(...seen)).toBe(0x3fff)
  })

  it('may be of a method that has no name', () => {
    const read = decoded(encodeMessage({ ...message, method: 0xff }))
    expect([read.method, read.methodNumber]).toEqual([undefined, 0xff])
  })

  it('of a method beyond 0xff is not for STUN where other protocols share the port (RFC 7983)', () => {
    expect(decodeMessage(encodeMessage({ ...message, method: 0x100 }))).toBe('not-stun')
  })
})

describe('an encoded message', () => {
  it('has attributes in the order they were given, each padded with zeros to four bytes', () => {
    const lengths = fc.array(fc.nat(70), { maxLength: 12 })
    always(
      fc.property(lengths, (sizes) => {
        const values = sizes.map((size, i) => new Uint8Array(size).fill(i + 1))
        const bytes = encodeMessage({ ...message, attributes: values.map((value) => ['DATA', value]) })
        expect(bytes.length % 4).toBe(0)
        expect(decoded(bytes).all('DATA')).toEqual(values)
        let at = 20
        for (const size of sizes) {
          const end = at + 4 + ((size + 3) & ~3)
          expect(bytes.subarray(at + 4 + size, end).every((byte) => byte === 0)).toBe(true)
          at = end
        }
        expect(at).toBe(bytes.length)
      }),
    )
  })

  it('of more than 65,535 bytes is an error of the caller, and the longest below is none', () => {
    const longest = encodeMessage({ ...message, attributes: [['DATA', new Uint8Array(65_528)]] })
    expect(longest.length).toBe(20 + 65_532)
    expect(decoded(longest).get('DATA')?.length).toBe(65_528)
    const tooLong: OutgoingMessage = { ...message, attributes: [['DATA', new Uint8Array(65_529)]] }
    expect(() => encodeMessage(tooLong)).toThrow(expect.objectContaining({ code: 'encode-overflow' }))
    const filled: OutgoingMessage = { ...message, attributes: [['DATA', new Uint8Array(65_524)]] }
    expect(() => encodeMessage(filled, { fingerprint: true })).toThrow(
      expect.objectContaining({ code: 'encode-overflow' }),
    )
  })

  it('has text in UTF-8, and its length in bytes', () => {
    const bytes = encodeMessage({ ...message, attributes: [['SOFTWARE', 'naïve 日本 😀']] })
    const read = decoded(bytes)
    expect(read.get('SOFTWARE')).toBe('naïve 日本 😀')
    expect(read.raw('SOFTWARE')?.length).toBe(18)
  })
})

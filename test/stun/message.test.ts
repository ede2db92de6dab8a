import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { checkFingerprint, checkIntegrity, crcOf } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { hex } from '../support/hex.ts'

const transactionId = hex('000102030405060708090a0b')
const key = shortTermKey('secret')
const sha1 = { algorithm: 'sha1', key } as const
const sha256 = { algorithm: 'sha256', key } as const
const peer = TransportAddress.parse('192.0.2.1:1000')
const other = TransportAddress.parse('192.0.2.2:2000')

function encoded(attributes: Attribute[], options: Parameters<typeof encodeMessage>[1] = {}): Uint8Array {
  return encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes }, options)
}

/** A message of the given attributes as they stand, each with its padding. */
function raw(...attributes: string[]): Uint8Array {
  const body = hex(attributes.join(''))
  return new Uint8Array([
    0,
    1,
    body.length >> 8,
    body.length & 255,
    ...hex('2112a442'),
    ...transactionId,
    ...body,
  ])
}

function decoded(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

/** The bytes of one message with the attributes of another behind them, and the length that counts them all. */
function append(bytes: Uint8Array, attributes: Attribute[]): Uint8Array {
  const more = encoded(attributes).subarray(20)
  const all = new Uint8Array([...bytes, ...more])
  all.set([(all.length - 20) >> 8, (all.length - 20) & 255], 2)
  return all
}

function withFingerprint(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array([...bytes, 0x80, 0x28, 0, 4, 0, 0, 0, 0])
  all.set([(all.length - 20) >> 8, (all.length - 20) & 255], 2)
  new DataView(all.buffer).setUint32(all.length - 4, crcOf(all.subarray(0, all.length - 8)))
  return all
}

describe('bytes that are no message', () => {
  const good = raw('00060001 61000000')
  const faults: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'too-short'],
    ['19 bytes of a header', good.slice(0, 19), 'too-short'],
    ['ChannelData', new Uint8Array([0x40, ...good.slice(1)]), 'not-stun'],
    ['RTP', new Uint8Array([0x80, ...good.slice(1)]), 'not-stun'],
    ['another magic cookie', new Uint8Array([...good.slice(0, 7), 0x43, ...good.slice(8)]), 'wrong-cookie'],
    ['a length too long', raw('00060001 61000000').fill(12, 3, 4), 'wrong-length'],
    ['a length too short', raw('00060001 61000000').fill(4, 3, 4), 'wrong-length'],
    ['a length of 0 before attributes', raw('00060001 61000000').fill(0, 3, 4), 'wrong-length'],
    ['a length that is no multiple of four', raw('000600016100'), 'wrong-length'],
    ['an attribute that runs over the end', raw('00060005 61000000'), 'attribute-overrun'],
    ['an attribute of the longest length', raw('0006ffff 61000000'), 'attribute-overrun'],
    ['a second attribute that runs over the end', raw('00060001 61000000', '00060001'), 'attribute-overrun'],
    ['MESSAGE-INTEGRITY of 19 bytes', raw('00080013', '00'.repeat(20)), 'malformed-integrity'],
    ['MESSAGE-INTEGRITY of 0 bytes', raw('00080000'), 'malformed-integrity'],
    ['MESSAGE-INTEGRITY-SHA256 of 12 bytes', raw('001c000c', '00'.repeat(12)), 'malformed-integrity'],
    ['MESSAGE-INTEGRITY-SHA256 of 18 bytes', raw('001c0012', '00'.repeat(20)), 'malformed-integrity'],
    ['MESSAGE-INTEGRITY-SHA256 of 36 bytes', raw('001c0024', '00'.repeat(36)), 'malformed-integrity'],
    ['FINGERPRINT of 3 bytes', raw('80280003 00000000'), 'malformed-fingerprint'],
    ['something behind FINGERPRINT', raw('80280004 00000000', '00060001 61000000'), 'malformed-fingerprint'],
  ]
  it.each(faults)('%s: %3$s', (_name, bytes, fault) => {
    expect(decodeMessage(bytes)).toBe(fault)
  })

  it('are told, not thrown: every truncation of a message, and every length it may claim', () => {
    const whole = encoded(
      [
        ['USERNAME', 'user'],
        ['XOR-PEER-ADDRESS', peer],
        ['DATA', hex('010203')],
      ],
      {
        integrity: [sha1, sha256],
        fingerprint: true,
      },
    )
    for (let end = 0; end < whole.length; end++) {
      expect(typeof decodeMessage(whole.slice(0, end))).toBe('string')
      // With the length that the rest has, an attribute is cut, or it is a shorter message: which is read without a throw.
      const shorter = whole.slice(0, end)
      if (end >= 20) shorter.set([(end - 20) >> 8, (end - 20) & 255], 2)
      exercise(shorter)
    }
    for (let length = 0; length <= 0xffff; length += 3) {
      const lying = whole.slice()
      lying.set([length >> 8, length & 255], 2)
      if (length !== whole.length - 20) expect(decodeMessage(lying)).toBe('wrong-length')
    }
  })

  it('are told, not thrown: every length in every attribute', () => {
    const whole = encoded(
      [
        ['USERNAME', 'user'],
        ['ERROR-CODE', { code: 400, reason: 'x' }],
        ['PRIORITY', 1],
      ],
      {
        integrity: [sha1],
        fingerprint: true,
      },
    )
    for (let at = 20; at + 4 <= whole.length; at += 4) {
      for (let length = 0; length < 300; length++) {
        const lying = whole.slice()
        lying.set([length >> 8, length & 255], at + 2)
        exercise(lying)
      }
    }
  })

  /** Reads all there is to read. */
  function exercise(bytes: Uint8Array): void {
    const message = decodeMessage(bytes)
    if (typeof message === 'string') return
    for (const name of ['USERNAME', 'XOR-PEER-ADDRESS', 'DATA', 'ERROR-CODE', 'PRIORITY'] as const) {
      message.get(name)
      message.all(name)
      message.raw(name)
      message.valueOffset(name)
    }
    message.types()
    message.malformed()
    checkIntegrity(message, sha1)
    checkIntegrity(message, sha256)
    checkFingerprint(message)
  }
})

describe('a message', () => {
  it('is a view over the bytes it was read from, and copies none', () => {
    const bytes = encoded([['DATA', hex('010203')]])
    const message = decoded(bytes)
    expect(message.get('DATA')?.buffer).toBe(bytes.buffer)
    bytes[message.valueOffset('DATA')] = 9
    expect(message.get('DATA')).toEqual(hex('090203'))
    expect(message.transactionId.buffer).toBe(bytes.buffer)
  })

  it('has the first of attributes that are there twice', () => {
    const message = decoded(
      encoded([
        ['XOR-PEER-ADDRESS', peer],
        ['USERNAME', 'first'],
        ['XOR-PEER-ADDRESS', other],
        ['USERNAME', 'second'],
      ]),
    )
    expect(message.get('USERNAME')).toBe('first')
    expect(message.get('XOR-PEER-ADDRESS')).toEqual(peer)
    expect(message.all('XOR-PEER-ADDRESS')).toEqual([peer, other])
  })

  it('has no value, rather than the second, when the first of two is malformed', () => {
    const message = decoded(raw('000d0002 00010000', '000d0004 00000258'))
    expect(message.get('LIFETIME')).toBeUndefined()
    expect(message.malformed()).toBe('LIFETIME')
  })

  it('tells its types in order, those that nobody knows too', () => {
    const message = decoded(raw('7ffe0000', '00060001 61000000', '7ffe0003 01020300', 'c1230000'))
    expect(message.types()).toEqual([0x7ffe, 0x0006, 0x7ffe, 0xc123])
    expect(message.malformed()).toBeUndefined()
  })

  it('may be empty', () => {
    const message = decoded(raw())
    expect([message.class, message.method, message.types()]).toEqual(['request', 'Binding', []])
    expect(message.has('USERNAME')).toBe(false)
    expect(message.raw('USERNAME')).toBeUndefined()
    expect(message.valueOffset('USERNAME')).toBe(-1)
  })

  it('has its text read as UTF-8, and never throws for what is none', () => {
    expect(decoded(raw('00060002 c3280000')).get('USERNAME')).toBe('\ufffd(')
  })
})

describe('what stands behind the integrity', () => {
  const signed = encoded([['XOR-PEER-ADDRESS', peer]], { integrity: [sha1] })

  it('is out of sight', () => {
    const message = decoded(
      append(signed, [
        ['XOR-PEER-ADDRESS', other],
        ['LIFETIME', 0],
        ['USERNAME', 'x'],
      ]),
    )
    expect(message.all('XOR-PEER-ADDRESS')).toEqual([peer])
    expect([message.has('LIFETIME'), message.get('LIFETIME'), message.raw('LIFETIME')]).toEqual([
      false,
      undefined,
      undefined,
    ])
    expect(message.types()).toEqual([0x0012, 0x0008])
    expect(message.valueOffset('USERNAME')).toBe(-1)
    expect(checkIntegrity(message, sha1)).toBe(true)
  })

  it('is out of sight when a right fingerprint stands behind it', () => {
    const message = decoded(withFingerprint(append(signed, [['LIFETIME', 0]])))
    expect(checkFingerprint(message)).toBe(true)
    expect(message.has('LIFETIME')).toBe(false)
    expect(message.types()).toEqual([0x0012, 0x0008, 0x8028])
  })

  it('cannot be malformed', () => {
    const message = decoded(append(signed, [['UNKNOWN-ATTRIBUTES', [1]]]))
    const bytes = message.bytes.slice()
    bytes.set([0, 0x0d, 0, 2], signed.length)
    expect(decoded(bytes).malformed()).toBeUndefined()
  })

  it('is a second integrity of SHA-256, which is seen; and nothing behind that', () => {
    const both = encoded([['XOR-PEER-ADDRESS', peer]], { integrity: [sha1, sha256] })
    const message = decoded(append(both, [['LIFETIME', 0]]))
    expect([checkIntegrity(message, sha1), checkIntegrity(message, sha256)]).toEqual([true, true])
    expect(message.has('LIFETIME')).toBe(false)
  })

  it('is not another MESSAGE-INTEGRITY, which somebody has appended', () => {
    const forged = encoded(
      [
        ['XOR-PEER-ADDRESS', peer],
        ['LIFETIME', 0],
      ],
      {
        integrity: [{ algorithm: 'sha1', key: shortTermKey('mallory') }],
      },
    )
    const message = decoded(
      new Uint8Array([...signed, ...forged.subarray(32)]).fill(signed.length + forged.length - 52, 3, 4),
    )
    expect(message.has('LIFETIME')).toBe(false)
    expect(checkIntegrity(message, sha1)).toBe(true)
    expect(checkIntegrity(message, { algorithm: 'sha1', key: shortTermKey('mallory') })).toBe(false)
  })

  it('is not MESSAGE-INTEGRITY behind MESSAGE-INTEGRITY-SHA256', () => {
    const message = decoded(encoded([], { integrity: [sha256, sha1] }))
    expect([checkIntegrity(message, sha1), checkIntegrity(message, sha256)]).toEqual([false, true])
    expect(message.has('MESSAGE-INTEGRITY')).toBe(false)
  })
})

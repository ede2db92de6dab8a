import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey, shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage, type OutgoingMessage } from '../../src/stun/encode.ts'
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { hex } from '../support/hex.ts'

const iceKey = shortTermKey('VOkJxbRl1RmTxUk/WvJxBt')
const iceTransaction = hex('b7e7a701 bc34d686 fa87dfae')
const asterisks = '\u30de\u30c8\u30ea\u30c3\u30af\u30b9'

interface Vector {
  readonly name: string
  readonly bytes: Uint8Array
  readonly message: OutgoingMessage
  readonly key: Uint8Array
  readonly hasFingerprint: boolean
  /** Padding may be anything (RFC 8489 §14): these vectors have spaces, and nul bytes in the last one. */
  readonly paddingByte: number
}

const vectors: Vector[] = [
  {
    name: '2.1: a request',
    bytes: hex(`
      00010058 2112a442 b7e7a701 bc34d686 fa87dfae
      80220010 5354554e 20746573 7420636c 69656e74
      00240004 6e0001ff
      80290008 932ff9b1 51263b36
      00060009 6576746a 3a683676 59202020
      00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
      80280004 e57a3bcf`),
    message: {
      class: 'request',
      method: 'Binding',
      transactionId: iceTransaction,
      attributes: [
        ['SOFTWARE', 'STUN test client'],
        ['PRIORITY', 0x6e0001ff],
        ['ICE-CONTROLLED', 0x932ff9b151263b36n],
        ['USERNAME', 'evtj:h6vY'],
      ],
    },
    key: iceKey,
    hasFingerprint: true,
    paddingByte: 0x20,
  },
  {
    name: '2.2: a response with an IPv4 address',
    bytes: hex(`
      0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
      8022000b 74657374 20766563 746f7220
      00200008 0001a147 e112a643
      00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
      80280004 c07d4c96`),
    message: {
      class: 'success',
      method: 'Binding',
      transactionId: iceTransaction,
      attributes: [
        ['SOFTWARE', 'test vector'],
        ['XOR-MAPPED-ADDRESS', TransportAddress.parse('192.0.2.1:32853')],
      ],
    },
    key: iceKey,
    hasFingerprint: true,
    paddingByte: 0x20,
  },
  {
    name: '2.3: a response with an IPv6 address',
    bytes: hex(`
      01010048 2112a442 b7e7a701 bc34d686 fa87dfae
      8022000b 74657374 20766563 746f7220
      00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
      00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
      80280004 c8fb0b4c`),
    message: {
      class: 'success',
      method: 'Binding',
      transactionId: iceTransaction,
      attributes: [
        ['SOFTWARE', 'test vector'],
        ['XOR-MAPPED-ADDRESS', TransportAddress.parse('[2001:db8:1234:5678:11:2233:4455:6677]:32853')],
      ],
    },
    key: iceKey,
    hasFingerprint: true,
    paddingByte: 0x20,
  },
  {
    name: '2.4: a request with long-term credentials',
    bytes: hex(`
      00010060 2112a442 78ad3433 c6ad72c0 29da412e
      00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
      0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
      0014000b 6578616d 706c652e 6f726700
      00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`),
    message: {
      class: 'request',
      method: 'Binding',
      transactionId: hex('78ad3433 c6ad72c0 29da412e'),
      attributes: [
        ['USERNAME', asterisks],
        ['NONCE', 'f//499k954d6OL34oL9FSTvy64sA'],
        ['REALM', 'example.org'],
      ],
    },
    key: longTermKey(asterisks, 'example.org', 'TheMatrIX'),
    hasFingerprint: false,
    paddingByte: 0,
  },
]

describe.each(vectors)(
  'the vector of RFC 5769 §$name',
  ({ bytes, message, key, hasFingerprint, paddingByte }) => {
    const integrity = { algorithm: 'sha1', key } as const

    it('is written byte for byte', () => {
      const options = { integrity: [integrity], fingerprint: hasFingerprint, paddingByte }
      expect(encodeMessage(message, options)).toEqual(bytes)
    })

    it('is read: header, every attribute, integrity and fingerprint', () => {
      const read = decodeMessage(bytes)
      if (typeof read === 'string') throw new Error(read)
      expect([read.class, read.method, read.transactionId]).toEqual([
        message.class,
        message.method,
        message.transactionId,
      ])
      for (const [name, value] of message.attributes as Attribute[]) expect(read.get(name)).toEqual(value)
      expect(read.malformed()).toBeUndefined()
      expect(checkIntegrity(read, integrity)).toBe(true)
      expect(checkFingerprint(read)).toBe(hasFingerprint)
    })

    it('does not pass its checks when any one bit is another', () => {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = bytes.slice()
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        const read = decodeMessage(damaged)
        if (typeof read === 'string') continue
        const passes = checkIntegrity(read, integrity) && (!hasFingerprint || checkFingerprint(read))
        expect(passes, `bit ${bit}`).toBe(false)
      }
    })
  },
)

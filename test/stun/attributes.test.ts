import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import {
  type Attribute,
  type AttributeName,
  attributeName,
  attributes,
  isComprehensionRequired,
} from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { hex } from '../support/hex.ts'

/** As the registries of RFC 8489 §18.3, RFC 8656 §18, RFC 5780 §9.1, RFC 6062 §6.2 and so on have them. */
const numbers: [number, AttributeName][] = [
  // RFC 8489 §18.3
  [0x0001, 'MAPPED-ADDRESS'],
  [0x0006, 'USERNAME'],
  [0x0008, 'MESSAGE-INTEGRITY'],
  [0x0009, 'ERROR-CODE'],
  [0x000a, 'UNKNOWN-ATTRIBUTES'],
  [0x0014, 'REALM'],
  [0x0015, 'NONCE'],
  [0x001c, 'MESSAGE-INTEGRITY-SHA256'],
  [0x001d, 'PASSWORD-ALGORITHM'],
  [0x001e, 'USERHASH'],
  [0x0020, 'XOR-MAPPED-ADDRESS'],
  [0x8002, 'PASSWORD-ALGORITHMS'],
  [0x8003, 'ALTERNATE-DOMAIN'],
  [0x8022, 'SOFTWARE'],
  [0x8023, 'ALTERNATE-SERVER'],
  [0x8028, 'FINGERPRINT'],
  // RFC 8656 §18
  [0x000c, 'CHANNEL-NUMBER'],
  [0x000d, 'LIFETIME'],
  [0x0012, 'XOR-PEER-ADDRESS'],
  [0x0013, 'DATA'],
  [0x0016, 'XOR-RELAYED-ADDRESS'],
  [0x0017, 'REQUESTED-ADDRESS-FAMILY'],
  [0x0018, 'EVEN-PORT'],
  [0x0019, 'REQUESTED-TRANSPORT'],
  [0x001a, 'DONT-FRAGMENT'],
  [0x0022, 'RESERVATION-TOKEN'],
  [0x8000, 'ADDITIONAL-ADDRESS-FAMILY'],
  [0x8001, 'ADDRESS-ERROR-CODE'],
  [0x8004, 'ICMP'],
  // RFC 5780 §9.1
  [0x0003, 'CHANGE-REQUEST'],
  [0x0026, 'PADDING'],
  [0x0027, 'RESPONSE-PORT'],
  [0x802b, 'RESPONSE-ORIGIN'],
  [0x802c, 'OTHER-ADDRESS'],
  // RFC 6062 §6.2
  [0x002a, 'CONNECTION-ID'],
  // RFC 7635 §11
  [0x001b, 'ACCESS-TOKEN'],
  [0x802e, 'THIRD-PARTY-AUTHORIZATION'],
  // RFC 8016 §4
  [0x8030, 'MOBILITY-TICKET'],
  // RFC 8445 §20.1
  [0x0024, 'PRIORITY'],
  [0x0025, 'USE-CANDIDATE'],
  [0x8029, 'ICE-CONTROLLED'],
  [0x802a, 'ICE-CONTROLLING'],
  // draft-thatcher-ice-renomination
  [0xc001, 'NOMINATION'],
  // draft-martinsen-tram-ssoda
  [0x8032, 'SSODA-ADDITIONAL-ADDRESS-FAMILY'],
  [0x8033, 'SSODA-ADDRESS-ERROR-CODE'],
]

/** Values and what they are on the wire, behind the header 2112a442 b7e7a701 bc34d686 fa87dfae. */
const v4 = TransportAddress.parse('192.0.2.1:32853')
const v6 = TransportAddress.parse('[2001:db8:1234:5678:11:2233:4455:6677]:32853')
const plain4 = '00018055 c0000201'
const plain6 = '00028055 20010db8 12345678 00112233 44556677'
const xor4 = '0001a147 e112a643'
const xor6 = '0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9'
const vectors: [...Attribute, string][] = [
  ['MAPPED-ADDRESS', v4, plain4],
  ['MAPPED-ADDRESS', v6, plain6],
  ['XOR-MAPPED-ADDRESS', v4, xor4],
  ['XOR-MAPPED-ADDRESS', v6, xor6],
  ['XOR-PEER-ADDRESS', v4, xor4],
  ['XOR-PEER-ADDRESS', v6, xor6],
  ['XOR-RELAYED-ADDRESS', v4, xor4],
  ['XOR-RELAYED-ADDRESS', v6, xor6],
  ['ALTERNATE-SERVER', v4, plain4],
  ['RESPONSE-ORIGIN', v4, plain4],
  ['OTHER-ADDRESS', v6, plain6],
  ['CHANGE-REQUEST', { changeIp: false, changePort: false }, '00000000'],
  ['CHANGE-REQUEST', { changeIp: true, changePort: false }, '00000004'],
  ['CHANGE-REQUEST', { changeIp: false, changePort: true }, '00000002'],
  ['CHANGE-REQUEST', { changeIp: true, changePort: true }, '00000006'],
  ['RESPONSE-PORT', 3479, '0d97'],
  ['PADDING', hex('0102030405'), '0102030405'],
  ['USERNAME', 'evtj:h6vY', '6576746a3a68367659'],
  ['USERNAME', '\u30de', 'e3839e'],
  ['USERHASH', new Uint8Array(32).fill(0xab), 'ab'.repeat(32)],
  ['REALM', '', ''],
  ['REALM', 'example.org', '6578616d706c652e6f7267'],
  ['NONCE', 'abcd', '61626364'],
  ['SOFTWARE', 'turnpike', '7475726e70696b65'],
  ['ALTERNATE-DOMAIN', 'example.org', '6578616d706c652e6f7267'],
  ['THIRD-PARTY-AUTHORIZATION', 'auth', '61757468'],
  ['ACCESS-TOKEN', hex('0002aabb'), '0002aabb'],
  ['MOBILITY-TICKET', new Uint8Array(0), ''],
  ['MOBILITY-TICKET', hex('0102030405060708'), '0102030405060708'],
  ['ERROR-CODE', { code: 300, reason: '' }, '00000300'],
  ['ERROR-CODE', { code: 438, reason: 'Stale' }, '00000426 5374616c65'],
  ['ERROR-CODE', { code: 699, reason: '' }, '00000663'],
  ['ADDRESS-ERROR-CODE', { family: 'IPv6', code: 440, reason: '' }, '02000428'],
  ['ADDRESS-ERROR-CODE', { family: 'IPv4', code: 508, reason: 'x' }, '01000508 78'],
  ['UNKNOWN-ATTRIBUTES', [], ''],
  ['UNKNOWN-ATTRIBUTES', [0x001a, 0x7fff, 0x0022], '001a7fff0022'],
  ['CHANNEL-NUMBER', 0x4fff, '4fff0000'],
  ['CHANNEL-NUMBER', 0xffff, 'ffff0000'],
  ['LIFETIME', 0, '00000000'],
  ['LIFETIME', 0xffffffff, 'ffffffff'],
  ['DATA', new Uint8Array(0), ''],
  ['DATA', hex('010203'), '010203'],
  ['REQUESTED-ADDRESS-FAMILY', 'IPv4', '01000000'],
  ['REQUESTED-ADDRESS-FAMILY', 'IPv6', '02000000'],
  ['REQUESTED-ADDRESS-FAMILY', 0, '00000000'],
  ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6', '02000000'],
  ['EVEN-PORT', { reserveNext: true }, '80'],
  ['EVEN-PORT', { reserveNext: false }, '00'],
  ['REQUESTED-TRANSPORT', 17, '11000000'],
  ['REQUESTED-TRANSPORT', 255, 'ff000000'],
  ['DONT-FRAGMENT', true, ''],
  ['RESERVATION-TOKEN', hex('0102030405060708'), '0102030405060708'],
  ['ICMP', { type: 3, code: 4, data: 1480 }, '00000604 000005c8'],
  ['PASSWORD-ALGORITHM', { algorithm: 2, parameters: hex('') }, '00020000'],
  ['PASSWORD-ALGORITHM', { algorithm: 7, parameters: hex('01') }, '00070001 01000000'],
  ['PASSWORD-ALGORITHMS', [], ''],
  [
    'PASSWORD-ALGORITHMS',
    [
      { algorithm: 7, parameters: hex('010203') },
      { algorithm: 2, parameters: hex('') },
    ],
    '00070003 01020300 00020000',
  ],
  ['PRIORITY', 0x6e0001ff, '6e0001ff'],
  ['USE-CANDIDATE', true, ''],
  ['ICE-CONTROLLED', 0x932ff9b151263b36n, '932ff9b151263b36'],
  ['ICE-CONTROLLING', 2n ** 64n - 1n, 'ffffffffffffffff'],
  ['CONNECTION-ID', 0x12345678, '12345678'],
  ['NOMINATION', 0x00abcdef, '00abcdef'],
  ['SSODA-ADDITIONAL-ADDRESS-FAMILY', 'IPv6', '02000000'],
  ['SSODA-ADDRESS-ERROR-CODE', { family: 'IPv6', code: 440, reason: '' }, '02000428'],
]

/** Values that are not of the length or the form that their sections say: to be refused, not guessed at. */
const malformed: [AttributeName, string[]][] = [
  [
    'MAPPED-ADDRESS',
    ['', '00', '00018055', '00018055c00002', '00018055c000020100', '00038055c0000201', '00028055c0000201'],
  ],
  [
    'XOR-MAPPED-ADDRESS',
    ['0001a147e112a6', '0000a147e112a643', `0001a147${'00'.repeat(16)}`, `0002a147${'00'.repeat(15)}`],
  ],
  ['XOR-PEER-ADDRESS', ['', '0001a147', '0003a147e112a643', '0002a147e112a643']],
  ['XOR-RELAYED-ADDRESS', ['0001a147e112a64300']],
  ['ALTERNATE-SERVER', ['0001']],
  ['RESPONSE-ORIGIN', ['0001']],
  ['OTHER-ADDRESS', ['0001']],
  ['CHANGE-REQUEST', ['', '000000', '0000000600']],
  ['RESPONSE-PORT', ['', '0d', '0d9700', '0d970000 00']],
  ['USERNAME', ['61'.repeat(764)]],
  ['REALM', ['61'.repeat(764)]],
  ['NONCE', ['61'.repeat(764)]],
  ['SOFTWARE', ['61'.repeat(764)]],
  ['ALTERNATE-DOMAIN', ['61'.repeat(256)]],
  ['USERHASH', ['', 'ab'.repeat(31), 'ab'.repeat(33)]],
  [
    'ERROR-CODE',
    ['', '0000', '000004', '00000264', '00000701', '00000464', '000004ff', `00000401${'61'.repeat(764)}`],
  ],
  ['ADDRESS-ERROR-CODE', ['02', '02000264']],
  ['UNKNOWN-ATTRIBUTES', ['00', '001a7f']],
  ['CHANNEL-NUMBER', ['', '4000', '400000', '4000000000']],
  ['LIFETIME', ['', '000258', '0000025800']],
  ['REQUESTED-ADDRESS-FAMILY', ['01', '0100000000']],
  ['ADDITIONAL-ADDRESS-FAMILY', ['02']],
  ['EVEN-PORT', ['', '8000']],
  ['REQUESTED-TRANSPORT', ['11', '110000', '1100000000']],
  ['DONT-FRAGMENT', ['00']],
  ['RESERVATION-TOKEN', ['', '01020304050607', '010203040506070809']],
  ['ICMP', ['', '00000604', '00000604000005c800']],
  ['PASSWORD-ALGORITHM', ['', '0002', '00020001', '0002000001', '0007000501020304', '0002000000010000']],
  ['PASSWORD-ALGORITHMS', ['00', '000200', '00020001', '0002000000', '00020000 0001ffff']],
  ['PRIORITY', ['6e0001', '6e0001ff00']],
  ['USE-CANDIDATE', ['01']],
  ['ICE-CONTROLLED', ['', '932ff9b1']],
  ['ICE-CONTROLLING', ['ffffffffffffff']],
  ['CONNECTION-ID', ['123456', '1234567800']],
  ['NOMINATION', ['abcdef']],
  ['SSODA-ADDITIONAL-ADDRESS-FAMILY', ['02']],
  ['SSODA-ADDRESS-ERROR-CODE', ['02', '02000264']],
]

/** Checked with the message itself, and covered by the tests of integrity and fingerprint. */
const ofTheMessage = ['MESSAGE-INTEGRITY', 'MESSAGE-INTEGRITY-SHA256', 'FINGERPRINT']
/** Nothing that can be carried is malformed. */
const ofAnyBytes = ['PADDING', 'DATA', 'ACCESS-TOKEN', 'MOBILITY-TICKET', 'THIRD-PARTY-AUTHORIZATION']

const header = '2112a442 b7e7a701 bc34d686 fa87dfae'

function withAttribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(24 + ((value.length + 3) & ~3))
  const length = bytes.length - 20
  bytes.set([0, 1, length >> 8, length & 255, ...hex(header)])
  bytes.set([type >> 8, type & 255, value.length >> 8, value.length & 255], 20)
  bytes.set(value, 24)
  return bytes
}

function decoded(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

describe('the attribute table', () => {
  it.each(numbers)('has %s, %s, as the registries have it', (number, name) => {
    expect(attributes[name].type).toBe(number)
    expect(attributeName(number)).toBe(name)
    expect(isComprehensionRequired(number)).toBe(number < 0x8000)
  })

  it('has nothing that the registries do not have, and no number twice', () => {
    expect(numbers.map(([, name]) => name).sort()).toEqual(Object.keys(attributes).sort())
    expect(new Set(numbers.map(([number]) => number)).size).toBe(numbers.length)
  })

  it('names the section of each', () => {
    for (const { section } of Object.values(attributes))
      expect(section).toMatch(/^(RFC \d{4} §[\d.]+|draft-[a-z-]+)$/)
  })

  it('has a vector here for each, and a malformed value for each that can be malformed', () => {
    const names = Object.keys(attributes).filter((name) => !ofTheMessage.includes(name))
    expect(names.filter((name) => !vectors.some(([vector]) => vector === name))).toEqual([])
    const fallible = names.filter((name) => !ofAnyBytes.includes(name))
    expect(fallible.filter((name) => !malformed.some(([vector]) => vector === name))).toEqual([])
  })

  it('does not know a number that nobody has registered', () => {
    expect(attributeName(0x7ffe)).toBeUndefined()
    expect(attributeName(0xfffe)).toBeUndefined()
  })
})

describe.each(vectors)('%s', (...[name, value, wire]) => {
  const bytes = withAttribute(attributes[name].type, hex(wire))

  it(`is ${wire || 'empty'} on the wire`, () => {
    const written = encodeMessage({
      class: 'request',
      method: 'Binding',
      transactionId: hex(header).subarray(4),
      attributes: [[name, value] as Attribute],
    })
    expect(written).toEqual(bytes)
  })

  it('is read from there', () => {
    const message = decoded(bytes)
    expect(message.get(name)).toEqual(value)
    expect(message.all(name)).toEqual([value])
    expect(message.has(name)).toBe(true)
    expect(message.raw(name)).toEqual(hex(wire))
    expect(message.malformed()).toBeUndefined()
  })
})

describe.each(malformed)('%s', (name, values) => {
  it.each(values)('has no value %s: that is told, and not thrown', (wire) => {
    const message = decoded(withAttribute(attributes[name].type, hex(wire)))
    expect(message.get(name)).toBeUndefined()
    expect(message.all(name)).toEqual([])
    expect(message.malformed()).toBe(name)
    expect(message.raw(name)).toEqual(hex(wire))
  })
})

it('reserved bits are ignored', () => {
  const reserved: [AttributeName, string, unknown][] = [
    ['RESPONSE-PORT', '0d97ffff', 3479],
    ['CHANNEL-NUMBER', '4000ffff', 0x4000],
    ['REQUESTED-TRANSPORT', '11ffffff', 17],
    ['REQUESTED-ADDRESS-FAMILY', '01ffffff', 'IPv4'],
    ['EVEN-PORT', '7f', { reserveNext: false }],
    ['EVEN-PORT', 'ff', { reserveNext: true }],
    ['CHANGE-REQUEST', 'fffffff9', { changeIp: false, changePort: false }],
    ['ERROR-CODE', 'fffffc01', { code: 401, reason: '' }],
    ['ADDRESS-ERROR-CODE', '02fffc28', { family: 'IPv6', code: 440, reason: '' }],
    ['MAPPED-ADDRESS', 'ff018055c0000201', v4],
    ['ICMP', 'ffff0604000005c8', { type: 3, code: 4, data: 1480 }],
  ]
  for (const [name, wire, value] of reserved) {
    expect(decoded(withAttribute(attributes[name].type, hex(wire))).get(name)).toEqual(value)
  }
})

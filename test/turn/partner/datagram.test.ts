/** What partners say to each other, byte by byte (ADR 14). */

import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { packetKind } from '../../../src/stun/demux.ts'
import {
  decodePartnerDatagram,
  encodePartnerDatagram,
  type PartnerDatagram,
} from '../../../src/turn/partner/datagram.ts'
import { hex } from '../../support/hex.ts'
import { key, otherKey, ports, request } from '../../support/partner-pair.ts'
import { seededRandom } from '../../support/random.ts'

const header = {
  lane: 1,
  hears: true,
  epoch: hex('0102030405060708'),
  counter: 2 ** 32 + 9,
  nonce: hex('1112131415161718'),
  addresses: ports('198.51.100.1'),
}

const six = TransportAddress.of('2001:db8::9', 40_000)

/** Header and what follows, without the HMAC: laid out here by hand. */
const vectors: [string, PartnerDatagram, string][] = [
  [
    'a ping',
    { type: 'ping', ...header },
    '54 01 00 03 0102030405060708 0000000100000009 1112131415161718 00000000000000000000ffffc6336401 0d96 0d97',
  ],
  [
    'a pong that hears nobody yet, from the first port',
    { type: 'pong', ...header, lane: 0, hears: false },
    '54 01 01 00 0102030405060708 0000000100000009 1112131415161718 00000000000000000000ffffc6336401 0d96 0d97',
  ],
  [
    'a request over IPv4 with another port to answer to',
    {
      type: 'request',
      ...header,
      request: { ...request, destination: request.client.withPort(50_000), paddedLength: 1500 },
    },
    '54 01 02 03 0102030405060708 0000000100000009 1112131415161718 00000000000000000000ffffc6336401 0d96 0d97' +
      '00000000000000000000ffffcb007109 9c40 c350 02 00 05dc 000102030405060708090a0b',
  ],
  [
    'a request over IPv6, asked at the second port, to be answered from the first',
    {
      type: 'request',
      ...header,
      addresses: ports('2001:db8::1'),
      request: { ...request, client: six, destination: six, askedPort: 1, answerPort: 0 },
    },
    '54 01 02 03 0102030405060708 0000000100000009 1112131415161718 20010db8000000000000000000000001 0d96 0d97' +
      '20010db8000000000000000000000009 9c40 9c40 01 00 0000 000102030405060708090a0b',
  ],
]

describe('a datagram of the link', () => {
  it.each(vectors)('%s has these bytes and no others', (_name, datagram, digits) => {
    const body = hex(digits)
    const mac = new Uint8Array(createHmac('sha256', key).update(body).digest())
    const bytes = encodePartnerDatagram(datagram, key)
    expect(bytes).toEqual(Uint8Array.of(...body, ...mac))
    expect(decodePartnerDatagram(bytes, [key])).toEqual(datagram)
  })

  it('is nothing that STUN, ChannelData, DTLS or RTP would take for its own (RFC 7983 §7)', () => {
    expect(packetKind(encodePartnerDatagram({ type: 'ping', ...header }, key)[0])).toBe('unknown')
  })

  it('is read with any of the keys', () => {
    const bytes = encodePartnerDatagram({ type: 'ping', ...header }, otherKey)
    expect(decodePartnerDatagram(bytes, [key])).toBeUndefined()
    expect(decodePartnerDatagram(bytes, [key, otherKey])?.type).toBe('ping')
  })

  it.each(vectors)('%s is refused when one bit of it is another', (_name, datagram) => {
    const bytes = encodePartnerDatagram(datagram, key)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodePartnerDatagram(damaged, [key]), `bit ${bit}`).toBeUndefined()
    }
  })

  it.each(vectors)('%s is refused when it is shorter or longer', (_name, datagram) => {
    const bytes = encodePartnerDatagram(datagram, key)
    for (let length = 0; length < bytes.length; length++) {
      expect(decodePartnerDatagram(bytes.subarray(0, length), [key]), `${length} bytes`).toBeUndefined()
    }
    expect(decodePartnerDatagram(Uint8Array.of(...bytes, 0), [key])).toBeUndefined()
  })

  it('is refused, and throws nothing, whatever the bytes', () => {
    const random = seededRandom(7)
    for (let round = 0; round < 5000; round++) {
      const bytes = random.bytes(random.below(200))
      if (bytes.length > 3 && round % 2 === 0) bytes.set([0x54, 1, random.below(3), random.below(4)])
      expect(decodePartnerDatagram(bytes, [key])).toBeUndefined()
    }
  })

  it('of another version is refused, although it is signed', () => {
    const bytes = encodePartnerDatagram({ type: 'ping', ...header }, key)
    bytes[1] = 2
    bytes.set(createHmac('sha256', key).update(bytes.subarray(0, -32)).digest(), bytes.length - 32)
    expect(decodePartnerDatagram(bytes, [key])).toBeUndefined()
  })
})

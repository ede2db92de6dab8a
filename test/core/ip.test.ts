import { isIPv4 as nodeIsIPv4, isIPv6 as nodeIsIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareIp, formatIp, type IpWords, isIPv4, isSameIp, readIp } from '../../src/core/ip.ts'
import { always } from '../support/property.ts'

function ip(text: string): IpWords {
  const words = { a: 0, b: 0, c: 0, d: 0 }
  if (!readIp(text, words)) throw new Error(`not an IP address: ${text}`)
  return words
}

function bigint({ a, b, c, d }: IpWords): bigint {
  return [a, b, c, d].reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n)
}

/** Words as the core has them: signed. */
const word = fc.oneof(fc.constantFrom(0, -1, 1, 0xffff, 0xffff0000 | 0, 0x00010000), fc.integer())
const words = fc.record({ a: word, b: word, c: word, d: word })

describe('an IP address in text form', () => {
  const canonical: [string, string][] = [
    ['0.0.0.0', '0.0.0.0'],
    ['192.0.2.1', '192.0.2.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    // RFC 5952 §4.2: the longest run of zeros is shortened, the first of equal ones, and no single one.
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ]
  it.each(canonical)('%s is read, and written as %s', (text, expected) => {
    expect(formatIp(ip(text))).toBe(expected)
  })

  const refused = [
    ...['', ' ', '1', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '256.0.0.1', '1.2.3.1000'],
    // Leading zeros are octal to some readers, as are hexadecimal octets and whole numbers to others.
    ...[
      '010.0.0.1',
      '0177.0.0.1',
      '127.0.0.01',
      '0x7f.0.0.1',
      '2130706433',
      '127.1',
      ' 127.0.0.1',
      '127.0.0.1 ',
    ],
    ...['+1.2.3.4', '-1.2.3.4', '1.2.3.4/8', '1.2.3.4:5', '１.2.3.4'],
    ...[
      ':',
      ':::',
      '1',
      '::1::',
      '1:::2',
      '12345::',
      '::g',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
    ],
    ...[':1:2:3:4:5:6:7', '1:2:3:4:5:6:7:', '::1.2.3', '::1.2.3.4.5', '::256.0.0.1', '1:2:3:4:5:6:7:1.2.3.4'],
    ...['1.2.3.4::', '::1.2.3.4:5', '%eth0', '::1%', '[::1]', '::1]', 'localhost', '::ffff:010.0.0.1'],
  ]
  it.each(refused)('%j is none', (text) => {
    expect(readIp(text, { a: 0, b: 0, c: 0, d: 0 })).toBe(false)
  })

  it('is read to the same value that it was written from', () => {
    always(
      fc.property(words, (value) => {
        expect(ip(formatIp(value))).toEqual(value)
      }),
      2_000,
    )
  })

  it('is accepted where Node accepts it, and nowhere else', () => {
    const texts = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...'0123456789abf:.%'), maxLength: 40 }),
      fc.tuple(fc.ipV6(), fc.ipV4()).map(([six, four]) => `${six}:${four}`),
    )
    always(
      fc.property(texts, (text) => {
        expect(readIp(text, { a: 0, b: 0, c: 0, d: 0 })).toBe(nodeIsIPv4(text) || nodeIsIPv6(text))
      }),
      5_000,
    )
  })
})

describe('an IPv4 address', () => {
  it('is the same value in its IPv4-mapped spelling', () => {
    expect(isSameIp(ip('127.0.0.1'), ip('::ffff:127.0.0.1'))).toBe(true)
    expect(isIPv4(ip('::ffff:7f00:1'))).toBe(true)
  })

  it.each(['::127.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '::fffe:7f00:1', '1::ffff:127.0.0.1'])(
    'is not what %s is',
    (text) => {
      expect(isIPv4(ip(text))).toBe(false)
      expect(isSameIp(ip(text), ip('127.0.0.1'))).toBe(false)
    },
  )
})

describe('the order of addresses', () => {
  it('is that of 128-bit unsigned integers', () => {
    always(
      fc.property(words, words, (x, y) => {
        const [left, right] = [bigint(x), bigint(y)]
        expect(Math.sign(compareIp(x, y))).toBe(left < right ? -1 : left > right ? 1 : 0)
        expect(isSameIp(x, y)).toBe(left === right)
      }),
      2_000,
    )
  })

  it('looks at the most significant byte first, and at no byte as signed', () => {
    const ascending = [
      '::1',
      '1.2.3.4',
      '127.255.255.255',
      '128.0.0.0',
      '::1:0:0:0',
      '2001:db8::ff',
      '2001:db8::1:0',
    ]
    const sorted = [...ascending, '7fff::', '8000::', 'ffff::'].map(ip)
    for (let i = 1; i < sorted.length; i++) expect(compareIp(sorted[i - 1]!, sorted[i]!)).toBeLessThan(0)
  })
})

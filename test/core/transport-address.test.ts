import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TurnpikeError } from '../../src/core/errors.ts'
import { formatAddress, TransportAddress } from '../../src/core/transport-address.ts'
import { always } from '../support/property.ts'

const addresses = fc
  .tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer(), fc.nat(65_535))
  .map(([a, b, c, d, port]) => new TransportAddress(a, b, c, d, port))

describe('a transport address', () => {
  it('is read from the text it is written as', () => {
    always(
      fc.property(addresses, (address) => {
        expect(TransportAddress.parse(`${address}`).equals(address)).toBe(true)
      }),
    )
  })

  it.each([
    ['192.0.2.1:3478', '192.0.2.1:3478', 'IPv4'],
    ['[2001:DB8::1]:0', '[2001:db8::1]:0', 'IPv6'],
    ['[::ffff:192.0.2.1]:65535', '192.0.2.1:65535', 'IPv4'],
  ])('%s is %s, %s', (text, expected, family) => {
    const address = TransportAddress.parse(text)
    expect(`${address}`).toBe(expected)
    expect(formatAddress(address)).toBe(expected)
    expect(JSON.stringify({ address })).toBe(`{"address":"${expected}"}`)
    expect(address.family).toBe(family)
  })

  it.each([
    ...[
      '',
      '192.0.2.1',
      '192.0.2.1:',
      ':3478',
      '192.0.2.1:65536',
      '192.0.2.1:-1',
      '192.0.2.1:1e3',
      '192.0.2.1: 1',
    ],
    ...[
      '2001:db8::1:3478',
      '[2001:db8::1]',
      '[192.0.2.1',
      '192.0.2.1]:1',
      'localhost:3478',
      '[::1]:123456',
      '010.0.0.1:1',
    ],
  ])('%j is none, and the error names it', (text) => {
    expect(() => TransportAddress.parse(text)).toThrow(
      expect.objectContaining({ code: 'address-invalid', name: 'TurnpikeError' }),
    )
  })

  it.each([-1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('has no port %s', (port) => {
    expect(() => TransportAddress.of('192.0.2.1', port)).toThrow(TurnpikeError)
  })

  it('quotes a value that is no address, so that it cannot pass for other text', () => {
    expect(() => TransportAddress.of('1.2.3.4\n', 1)).toThrow('"1.2.3.4\\n"')
  })

  it('is equal by value, in every part', () => {
    const address = TransportAddress.parse('[2001:db8:1:2:3:4:5:6]:7')
    const { a, b, c, d, port } = address
    expect(address.equals({ a, b, c, d, port })).toBe(true)
    for (const part of ['a', 'b', 'c', 'd', 'port'] as const) {
      expect(address.equals({ a, b, c, d, port, [part]: address[part] ^ 1 })).toBe(false)
    }
  })

  it('copied from a driver\u2019s object stays as it was', () => {
    const reused = { a: 1, b: 2, c: 3, d: 4, port: 5 }
    const kept = TransportAddress.from(reused)
    reused.d = 99
    reused.port = 99
    expect([kept.a, kept.b, kept.c, kept.d, kept.port]).toEqual([1, 2, 3, 4, 5])
    expect(TransportAddress.from(kept)).toBe(kept)
  })

  it('holds its words signed, whatever it was made from', () => {
    const address = new TransportAddress(0xffffffff, 0x80000000, 0, 0xfe800000, 1)
    expect([address.a, address.b, address.d]).toEqual([-1, -0x80000000, 0xfe800000 | 0])
    expect(address.equals(TransportAddress.parse(`${address}`))).toBe(true)
  })

  it('with another port is another address of the same host', () => {
    const address = TransportAddress.parse('192.0.2.1:1')
    expect(`${address.withPort(2)} ${address} ${address.ip}`).toBe('192.0.2.1:2 192.0.2.1:1 192.0.2.1')
  })
})

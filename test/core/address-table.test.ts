import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressTable } from '../../src/core/address-table.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { always } from '../support/property.ts'
import { seededRandom } from '../support/random.ts'

/** Few keys, so that they meet; with words that differ in one place only. */
const keys = fc.record({
  scope: fc.constantFrom(0, 1, 65_536, -1),
  address: fc
    .tuple(fc.constantFrom(0, 1, -1), fc.constantFrom(0, 7), fc.constantFrom(0, 0xffff), fc.nat(5), fc.nat(3))
    .map(([a, b, c, d, port]) => new TransportAddress(a, b, c, d, port)),
  isIp: fc.boolean(),
})
const operations = fc.record({
  type: fc.constantFrom('set', 'set', 'delete', 'get'),
  key: keys,
  value: fc.nat(),
})

describe('an address table', () => {
  it('behaves as a Map of scope, address and port, and of scope and address', () => {
    always(
      fc.property(fc.integer(), fc.array(operations, { maxLength: 400 }), (seed, list) => {
        const table = new AddressTable<number>(seed)
        const model = new Map<string, number>()
        for (const { type, key, value } of list) {
          const { scope, address, isIp } = key
          const name = `${scope} ${isIp ? address.ip : address}`
          if (type === 'set') {
            if (isIp) table.setIp(scope, address, value)
            else table.set(scope, address, value)
            model.set(name, value)
          } else if (type === 'delete') {
            const was = isIp ? table.deleteIp(scope, address) : table.delete(scope, address)
            expect(was).toBe(model.delete(name))
          }
          expect(isIp ? table.getIp(scope, address) : table.get(scope, address)).toBe(model.get(name))
          expect(table.size).toBe(model.size)
        }
      }),
      300,
    )
  })

  it('finds every one of 50,000 entries, and what is left after half of them are gone', () => {
    const random = seededRandom(3)
    const table = new AddressTable<number>(random.below(2 ** 31))
    const addresses = Array.from(
      { length: 50_000 },
      (_, i) => new TransportAddress(0, 0, 0xffff, 0x0a000000 + (i >> 4), 1024 + (i & 15)),
    )
    addresses.forEach((address, i) => {
      table.set(i & 3, address, i)
    })
    addresses.forEach((address, i) => {
      if (i % 2 === 0) table.delete(i & 3, address)
    })
    expect(table.size).toBe(25_000)
    const found = addresses.filter((address, i) => table.get(i & 3, address) === i).length
    expect(found).toBe(25_000)
    expect(addresses.some((address, i) => i % 2 === 0 && table.get(i & 3, address) !== undefined)).toBe(false)
  })

  it('does not tell a port from none', () => {
    const table = new AddressTable<string>(1)
    const address = TransportAddress.parse('192.0.2.1:0')
    table.setIp(0, address, 'host')
    expect(table.get(0, address)).toBeUndefined()
    table.set(0, address, 'port 0')
    expect([table.getIp(0, address.withPort(9)), table.get(0, address)]).toEqual(['host', 'port 0'])
  })

  it('reads an address in an object that a driver uses again', () => {
    const table = new AddressTable<string>(1)
    const words = { a: 0, b: 0, c: 0xffff, d: 1, port: 1 }
    table.set(0, words, 'first')
    words.d = 2
    table.set(0, words, 'second')
    words.d = 1
    expect(table.get(0, words)).toBe('first')
  })
})

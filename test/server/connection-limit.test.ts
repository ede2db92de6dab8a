import { expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { ConnectionLimit } from '../../src/server/connection-limit.ts'

const ip = (text: string) => TransportAddress.of(text, 1234)

it.each([
  ['one IPv4 address', '192.0.2.1', '192.0.2.1', '192.0.2.2'],
  ['one IPv6 network of 64 bits', '2001:db8::1', '2001:db8::ffff:1', '2001:db8:0:1::1'],
])('counts %s together, and others apart', (_, address, same, other) => {
  const limit = new ConnectionLimit(2, 1)
  expect([address, same, same].map((text) => limit.admit(ip(text)))).toEqual([true, true, false])
  expect(limit.admit(ip(other))).toBe(true)
  limit.release(ip(address))
  expect(limit.admit(ip(same))).toBe(true)
  expect(limit.admit(ip(same))).toBe(false)
})

it('knows no limit of 0, and forgets addresses that have nothing open', () => {
  const limit = new ConnectionLimit(0, 1)
  for (let i = 0; i < 5000; i++) expect(limit.admit(ip('192.0.2.1'))).toBe(true)
  for (let i = 0; i < 5000; i++) limit.release(ip('192.0.2.1'))
  limit.release(ip('192.0.2.1'))
  expect(limit.admit(ip('192.0.2.1'))).toBe(true)
})

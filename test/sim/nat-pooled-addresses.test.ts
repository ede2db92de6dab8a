/** RFC 4787 §4.1: a NAT with several external addresses. */

import { expect, test } from 'vitest'
import { behindNat, ipOf } from '../support/probe-nat.ts'

test('paired: an inner host keeps its external address, the next one gets the next', () => {
  const { nat, host, open, mapped } = behindNat({ addresses: 3, pooling: 'paired' })
  const seen = [host, nat.host(), nat.host()].map((on) =>
    [5000, 5001, 5002, 5003].map((port) => ipOf(mapped(open(port, on)))),
  )
  expect(seen.map((ips) => new Set(ips).size)).toEqual([1, 1, 1])
  expect(new Set(seen.flat()).size).toBe(3)
})

test('paired: whose address is gone gets one of the new ones', () => {
  const { nat, open, mapped } = behindNat({ addresses: 2, pooling: 'paired' })
  mapped(open(5000))
  nat.changeAddresses(['20.0.8.1', '20.0.8.2'])
  expect(ipOf(mapped(open(5001)))).toMatch(/^20\.0\.8\.[12]$/)
})

test('arbitrary: one inner host is seen at several addresses', () => {
  const { open, mapped } = behindNat({ addresses: 3, pooling: 'arbitrary' })
  const ips = Array.from({ length: 20 }, (_, i) => ipOf(mapped(open(5000 + i))))
  expect(new Set(ips).size).toBe(3)
})

test('external addresses can be chosen', () => {
  const { open, mapped } = behindNat({ addresses: ['20.0.7.7'] })
  expect(mapped(open(5000))).toBe('20.0.7.7:5000')
})

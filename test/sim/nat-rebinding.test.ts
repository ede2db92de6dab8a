import { expect, test } from 'vitest'
import { behindNat, ipOf } from '../support/probe-nat.ts'

test('a NAT that rebinds at a time gives other ports from then on', () => {
  const { internet, nat, open, mapped } = behindNat({})
  const inner = open(5000)
  const first = mapped(inner)
  internet.at(60_000, () => nat.rebind())
  internet.run({ until: () => internet.now >= 59_000, for: 59_000 })
  internet.run({ for: 59_000 - internet.now })
  expect(mapped(inner)).toBe(first)
  internet.run({ for: 2000 })
  const second = mapped(inner)
  expect(second).not.toBe(first)
  expect(ipOf(second)).toBe(ipOf(first))
  expect(mapped(inner)).toBe(second)
})

test('after it nothing comes in at the old port', () => {
  const { internet, nat, outside, open, mapped } = behindNat({})
  const inner = open(5000)
  const first = mapped(inner)
  nat.rebind()
  outside.send('to the old port', first)
  internet.run()
  expect(inner.texts).toEqual([])
})

test('a NAT that starts anew preserves ports again', () => {
  const { nat, open, mapped, external } = behindNat({})
  const inner = open(5000)
  mapped(inner)
  nat.restart()
  expect(mapped(inner)).toBe(`${external(5000)}`)
})

test('a NAT that gets another address is seen at that', () => {
  const { nat, open, mapped } = behindNat({})
  const inner = open(5000)
  const first = mapped(inner)
  nat.changeAddresses()
  expect(ipOf(mapped(inner))).toBe(nat.addresses[0]!.ip)
  expect(ipOf(mapped(inner))).not.toBe(ipOf(first))
})

/** RFC 4787 §4.3: how long a mapping lasts, and what keeps it. */

import { describe, expect, test } from 'vitest'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { behindNat } from '../support/probe-nat.ts'

/** Whether an answer comes in that is sent that long after the last packet out. */
function survives(options: NatPlaceOptions, silenceMs: number): boolean {
  const { internet, outside, open, mapped } = behindNat(options)
  const inner = open(5000)
  const address = mapped(inner)
  const start = internet.now
  internet.at(start + silenceMs - 100, () => outside.send('late', address))
  internet.run({ for: silenceMs + 1000 })
  return inner.texts.includes('late')
}

test('a mapping lasts as long as told', () => {
  expect(survives({ lifetimeMs: 30_000 }, 29_000)).toBe(true)
  expect(survives({ lifetimeMs: 30_000 }, 31_000)).toBe(false)
})

test('it lasts two minutes unless told otherwise', () => {
  expect(survives({}, 119_000)).toBe(true)
  expect(survives({}, 121_000)).toBe(false)
})

describe('packets from outside, every ten seconds', () => {
  test.each([
    [true, 9],
    [false, 2],
  ])('refresh: %s', (inboundRefresh, received) => {
    const { internet, outside, open, mapped } = behindNat({ lifetimeMs: 25_000, inboundRefresh })
    const inner = open(5000)
    const address = mapped(inner)
    const start = internet.now
    for (let i = 1; i < 10; i++) internet.at(start + i * 10_000, () => outside.send(`${i}`, address))
    internet.run({ for: 100_000 })
    expect(inner.texts).toHaveLength(received)
  })
})

test('packets from inside always refresh', () => {
  const { internet, outside, open, mapped } = behindNat({ lifetimeMs: 25_000 })
  const inner = open(5000)
  mapped(inner)
  const start = internet.now
  for (let i = 1; i < 10; i++) internet.at(start + i * 20_000, () => inner.send(`${i}`, outside.local!))
  internet.run({ for: 200_000 })
  outside.send('answer', outside.lastFrom)
  internet.run({ for: 100 })
  expect(inner.texts).toEqual(['answer'])
})

describe('one exchange and a stream, as Linux tells them apart', () => {
  const linux = { lifetimeMs: 120_000, singleExchangeLifetimeMs: 30_000, inboundRefresh: true }

  test('after one exchange the mapping is gone in 30 seconds', () => {
    expect(survives(linux, 29_000)).toBe(true)
    expect(survives(linux, 31_000)).toBe(false)
  })

  test('after traffic for more than two seconds it stays for 120', () => {
    const { internet, outside, open, mapped } = behindNat(linux)
    const inner = open(5000)
    const address = mapped(inner)
    const start = internet.now
    for (const at of [0, 1000, 2000, 3000]) {
      internet.at(start + at, () => outside.send('answer', address))
      internet.at(start + at + 50, () => inner.send('more', outside.local!))
    }
    internet.at(start + 100_000, () => outside.send('late', address))
    internet.run({ for: 110_000 })
    expect(inner.texts).toContain('late')
  })
})

test('an endpoint-dependent mapping that has expired comes back with another port', () => {
  const { internet, open, mapped } = behindNat({
    mapping: 'address-and-port-dependent',
    ports: 'random',
    lifetimeMs: 5000,
  })
  const inner = open(5000)
  const first = mapped(inner)
  expect(mapped(inner)).toBe(first)
  internet.run({ for: 6000 })
  expect(mapped(inner)).not.toBe(first)
})

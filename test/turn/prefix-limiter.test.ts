import { describe, expect, it } from 'vitest'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { PrefixLimiter } from '../../src/turn/prefix-limiter.ts'

const start = instant(1_000_000)
const client = TransportAddress.parse('192.0.2.1:1000')

function admitted(
  limiter: PrefixLimiter,
  source: TransportAddress,
  tries: number,
  now: Instant = start,
): number {
  let count = 0
  for (let i = 0; i < tries; i++) if (limiter.admit(source, now)) count++
  return count
}

describe('the limit of answers for one prefix', () => {
  it('lets a burst of two seconds through, and then the rate', () => {
    const limiter = new PrefixLimiter(10, 1)
    const burst = admitted(limiter, client, 1000)
    expect(burst).toBeGreaterThanOrEqual(20)
    expect(burst).toBeLessThanOrEqual(21)
    let later_ = 0
    for (let ms = 100; ms <= 10_000; ms += 100) later_ += admitted(limiter, client, 5, later(start, ms))
    expect(later_).toBe(100)
  })

  it('is forgotten by who has been quiet', () => {
    const limiter = new PrefixLimiter(10, 1)
    const burst = admitted(limiter, client, 1000)
    expect(admitted(limiter, client, 1000, later(start, 60_000))).toBe(burst)
  })

  it('counts an IPv4 address as one, whatever the port', () => {
    const limiter = new PrefixLimiter(10, 1)
    const burst = admitted(limiter, client, 1000)
    expect(burst).toBeLessThan(30)
    for (const port of [0, 1, 1001, 65_535]) expect(admitted(limiter, client.withPort(port), 10)).toBe(0)
    expect(admitted(limiter, TransportAddress.parse('192.0.2.2:1000'), 1000)).toBe(burst)
  })

  it('counts an IPv6 /64 as one', () => {
    const limiter = new PrefixLimiter(10, 1)
    const burst = admitted(limiter, TransportAddress.parse('[2001:db8:0:1::1]:1'), 1000)
    expect(admitted(limiter, TransportAddress.parse('[2001:db8:0:1:ffff:ffff:ffff:ffff]:1'), 10)).toBe(0)
    expect(admitted(limiter, TransportAddress.parse('[2001:db8:0:2::1]:1'), 1000)).toBe(burst)
  })

  it('of 0 is none', () => {
    expect(admitted(new PrefixLimiter(0, 1), client, 100_000)).toBe(100_000)
  })

  it('gives a flood of addresses no fresh budget for the first of them', () => {
    const limiter = new PrefixLimiter(10, 7)
    admitted(limiter, client, 1000)
    for (let i = 0; i < 200_000; i++)
      limiter.admit(new TransportAddress(0, 0, 0xffff, 0x0b000000 + i, 1), start)
    expect(admitted(limiter, client, 100)).toBe(0)
  })
})

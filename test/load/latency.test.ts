import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../src/load/latency.ts'
import { forecastOf } from '../../src/load/plan.ts'

describe('delays', () => {
  it('have no percentiles while there are none', () => {
    expect(new LatencyHistogram().summary()).toBeUndefined()
  })

  it.each([
    ['microseconds', 0.002],
    ['milliseconds', 1],
    ['seconds', 1000],
  ])('of %s are told within three per cent', (_, unit) => {
    const histogram = new LatencyHistogram()
    for (let i = 1; i <= 1000; i++) histogram.add(i * unit)
    const { p50, p90, p99, p999, longest } = histogram.summary()!
    for (const [found, wanted] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [p999, 999],
    ] as const) {
      expect(found / unit / wanted).toBeGreaterThanOrEqual(0.999)
      expect(found / unit / wanted).toBeLessThan(1.03)
    }
    expect(longest).toBe(1000 * unit)
  })

  it('of nothing and of hours have a place too', () => {
    const histogram = new LatencyHistogram()
    histogram.add(0)
    histogram.add(1e9)
    expect(histogram.summary()).toMatchObject({ p99: 1e9, longest: 1e9 })
  })
})

describe('what a load is going to be', () => {
  const plan = { flows: 5, size: 172, rate: 1000, direction: 'up', burst: 1, seconds: 10 } as const

  it('is known with a rate, and counts ChannelData, UDP and IPv4', () => {
    expect(forecastOf(plan)).toEqual({ packets: 10_000, payloadBytes: 1_720_000, bitsPerSecond: 204_000 * 8 })
  })

  it('is not known without, and nothing without traffic', () => {
    expect(forecastOf({ ...plan, rate: undefined }).packets).toBeUndefined()
    expect(forecastOf({ ...plan, seconds: 0 })).toEqual({ packets: 0, payloadBytes: 0, bitsPerSecond: 0 })
  })
})

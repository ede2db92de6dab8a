/** What the benchmarks make of their samples: medians, goals, tables, sections and the plot. */

import { describe, expect, it } from 'vitest'
import type { Samples } from '../../bench/relay/compare.ts'
import { coturn, dgram, mmsg, rival } from '../../bench/relay/contenders.ts'
import { allocationGoals, latencyGoals, medianOf, throughputGoals } from '../../bench/relay/goals.ts'
import { median, type Sample, spread } from '../../bench/relay/measure.ts'
import { plot } from '../../bench/relay/plot.ts'
import { goalTable } from '../../bench/support/goals.ts'
import { table, withSection } from '../../bench/support/results.ts'

const sample: Sample = {
  packetsPerCpuSecond: 100_000,
  packetsPerSecond: 90_000,
  packets: 90_000,
  delivered: 1,
  p50: 100,
  p99: 1000,
  setUpsPerSecond: 3000,
  firstSetUpsPerSecond: 1000,
  bytesPerAllocation: 4096,
  busierShare: 0.5,
}

function samplesOf(rates: Readonly<Record<string, readonly Partial<Sample>[]>>): Samples {
  return new Map(
    Object.entries(rates).map(([name, list]) => [name, list.map((part) => ({ ...sample, ...part }))]),
  )
}

const per = (...rates: number[]) => rates.map((packetsPerCpuSecond) => ({ packetsPerCpuSecond }))

describe('samples', () => {
  it.each([
    [[3, 1, 2], 2, 0.5],
    [[5], 5, 0],
    [[1, 2, 3, 4, 100], 3, 2 / 3],
  ])('of %j have the median %d and the spread %d', (values, middle, distance) => {
    expect(median(values)).toBe(middle)
    expect(spread(values)).toBeCloseTo(distance)
  })

  it('of nobody are no number', () => {
    expect(median([])).toBeNaN()
    expect(medianOf(new Map(), mmsg, 'p50')).toBeNaN()
  })
})

describe('a goal', () => {
  const samples = samplesOf({
    [mmsg]: per(300, 250, 10),
    [coturn]: per(100, 125, 130),
    [dgram]: per(60, 62, 70),
    [rival]: per(50, 50, 50),
  })

  it('is judged by medians, each driver beside what is asked of it', () => {
    expect(
      throughputGoals('loud', samples, 2).map(({ asked, reached, isReached }) => [asked, reached, isReached]),
    ).toEqual([
      ['≥ 2.00 × coturn', '2.00 ×', true],
      ['≥ 0.50 × coturn', '0.50 ×', false],
      ['≥ 1.30 × npm turn-server', '1.24 ×', false],
    ])
  })

  it('is not reached beside a server that was not there', () => {
    const goals = throughputGoals('loud', samplesOf({ [mmsg]: per(300), [dgram]: per(100) }), 2)
    expect(goals.map(({ isReached }) => isReached)).toEqual([false, false, false])
  })

  it.each([
    ['8 KB, every packet, 1.5 × the rate', {}, [true, true, true]],
    ['8.1 KB', { bytesPerAllocation: 8.1 * 1024 }, [false, true, true]],
    ['a packet lost', { delivered: 0.99999 }, [true, true, false]],
    ['1.49 × the rate', { setUpsPerSecond: 2980 }, [true, false, true]],
  ])('of many allocations: %s', (_name, changes, reached) => {
    const goals = allocationGoals(
      samplesOf({
        [mmsg]: [{ bytesPerAllocation: 8192, setUpsPerSecond: 3000, ...changes }],
        [coturn]: [{ setUpsPerSecond: 2000 }],
      }),
    )
    expect(goals.map(({ isReached }) => isReached)).toEqual(reached)
  })

  it('of latency is no more than that of coturn', () => {
    const goals = latencyGoals(
      samplesOf({ [mmsg]: [{ p50: 16, p99: 600 }], [coturn]: [{ p50: 16, p99: 500 }] }),
    )
    expect(goals.map(({ reached, isReached }) => [reached, isReached])).toEqual([
      ['1.00 ×', true],
      ['1.20 ×', false],
    ])
  })

  it('that is not reached stands out in the table', () => {
    const rows = goalTable(throughputGoals('loud', samples, 2)).split('\n')
    expect(rows).toHaveLength(5)
    expect(rows[2]).toMatch(/\| +yes \|$/)
    expect(rows[3]).toMatch(/\| +\*\*no\*\* \|$/)
  })
})

describe('RESULTS.md', () => {
  it('has tables that read as text too', () => {
    expect(table(['server', 'n'], [['a', '1,000']])).toBe(
      ['| server |     n |', '| ------ | ----: |', '| a      | 1,000 |'].join('\n'),
    )
  })

  const text = '# Results\n\nHow.\n\n## One\n\nfirst\n\n### Part\n\nof it\n\n## Two\n\nsecond\n'

  it('gets a section in place of the old one, with its parts', () => {
    expect(withSection(text, 'One', 'new\n\n### Other\n')).toBe(
      '# Results\n\nHow.\n\n## One\n\nnew\n\n### Other\n\n## Two\n\nsecond\n',
    )
  })

  it('gets a section that is new at its end', () => {
    expect(withSection(text, 'Tw', 'third')).toBe(`${text}\n## Tw\n\nthird\n`)
  })
})

describe('the plot', () => {
  const picture = plot('Title', 'flows', 'packets', [
    {
      name: 'a',
      color: '#111111',
      points: [
        { x: 1, y: 400_000 },
        { x: 100, y: 100_000 },
      ],
    },
    { name: 'b', color: '#222222', points: [{ x: 10, y: 200_000 }] },
  ])

  it('has a line for each server and a dot for each point, higher where there is more', () => {
    expect(picture.match(/<path /g)).toHaveLength(2)
    const dots = [...picture.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ])
    const [first, last, other] = dots as [number, number][]
    expect(dots).toHaveLength(3)
    expect(other![0] - first![0]).toBeCloseTo(last![0] - other![0])
    expect(first![1]).toBeLessThan(other![1])
    expect(other![1]).toBeLessThan(last![1])
  })

  it('has an axis that ends above the highest point', () => {
    expect(picture).toContain('>500k</text>')
    expect(picture).toContain('<title>Title</title>')
  })
})

/** What is asked of the relay, beside what it has come to. */

import type { Goal } from '../support/goals.ts'
import type { Samples } from './compare.ts'
import { coturn, dgram, mmsg, rival } from './contenders.ts'
import { median, type Sample } from './measure.ts'

export function medianOf(samples: Samples, name: string, key: keyof Sample): number {
  return median((samples.get(name) ?? []).map((sample) => sample[key]))
}

export function ratioGoal(
  what: string,
  samples: Samples,
  key: keyof Sample,
  [ours, theirs]: readonly [string, string],
  atLeast: number,
): Goal {
  const ratio = medianOf(samples, ours, key) / medianOf(samples, theirs, key)
  return {
    what,
    asked: `≥ ${atLeast.toFixed(2)} × ${theirs}`,
    reached: `${ratio.toFixed(2)} ×`,
    isReached: ratio >= atLeast,
  }
}

/** Of a throughput scenario: mmsg by what it asks, dgram by what is asked of it everywhere. */
export function throughputGoals(name: string, samples: Samples, atLeast: number): Goal[] {
  const key = 'packetsPerCpuSecond'
  return [
    ratioGoal(`${name}: mmsg, packets per CPU second`, samples, key, [mmsg, coturn], atLeast),
    ...dgramGoals(name, samples),
  ]
}

export function dgramGoals(name: string, samples: Samples): Goal[] {
  const key = 'packetsPerCpuSecond'
  return [
    ratioGoal(`${name}: dgram`, samples, key, [dgram, coturn], 0.5),
    ratioGoal(`${name}: dgram`, samples, key, [dgram, rival], 1.3),
  ]
}

export function allocationGoals(samples: Samples): Goal[] {
  const kilobytes = medianOf(samples, mmsg, 'bytesPerAllocation') / 1024
  const delivered = medianOf(samples, mmsg, 'delivered')
  return [
    {
      what: '5,000 allocations: memory of each',
      asked: '≤ 8 KB',
      reached: `${kilobytes.toFixed(1)} KB`,
      isReached: kilobytes <= 8,
    },
    ratioGoal('5,000 allocations: set-ups a second', samples, 'setUpsPerSecond', [mmsg, coturn], 1.5),
    {
      what: '5,000 allocations: delivered at 40,000 packets/s',
      asked: '100 %',
      reached: `${(delivered * 100).toFixed(2)} %`,
      isReached: delivered === 1,
    },
  ]
}

export function latencyGoals(samples: Samples): Goal[] {
  return (['p50', 'p99'] as const).map((key) => {
    const [ours, theirs] = [medianOf(samples, mmsg, key), medianOf(samples, coturn, key)]
    return {
      what: `delay added at 10,000 packets/s: ${key}`,
      asked: '≤ coturn',
      reached: `${(ours / theirs).toFixed(2)} ×`,
      isReached: ours <= theirs,
    }
  })
}

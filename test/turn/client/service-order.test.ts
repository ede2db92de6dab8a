import { expect, it } from 'vitest'
import type { DnsService } from '../../../src/core/host.ts'
import { orderServices } from '../../../src/turn/client/service-order.ts'
import { seededRandom } from '../../support/random.ts'

const service = (name: string, priority: number, weight: number): DnsService => ({
  name,
  priority,
  weight,
  port: 1,
})

/** How often each comes first. */
function firsts(services: readonly DnsService[], draws: number): Record<string, number> {
  const random = seededRandom(5)
  const counts: Record<string, number> = {}
  for (let i = 0; i < draws; i++) {
    const [first] = orderServices(services, random)
    counts[first!.name] = (counts[first!.name] ?? 0) + 1
  }
  return counts
}

it('puts the lower priority first, whatever the weights', () => {
  const services = [service('c', 30, 100), service('a', 10, 0), service('b', 20, 5)]
  expect(orderServices(services, seededRandom(1)).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
})

it('draws by weight among those of one priority, all of them once', () => {
  const services = [service('one', 1, 1), service('three', 1, 3)]
  expect(
    orderServices(services, seededRandom(1))
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['one', 'three'])
  // RFC 2782 draws from 0 to the sum: 2 of 5 numbers are for the first, 3 for the other.
  const { one, three } = firsts(services, 5000)
  expect(one! / 5000).toBeCloseTo(2 / 5, 1)
  expect(three! / 5000).toBeCloseTo(3 / 5, 1)
})

it('gives those without weight a small chance of their own', () => {
  const { none } = firsts([service('some', 1, 99), service('none', 1, 0)], 5000)
  expect(none).toBeGreaterThan(10)
  expect(none).toBeLessThan(200)
})

/** The order in which the servers of SRV records are tried: by priority, and by chance as they are weighted (RFC 2782). */

import type { DnsService } from '../../core/host.ts'
import { type Random, randomBelow } from '../../core/random.ts'

export function orderServices(services: readonly DnsService[], random: Random): DnsService[] {
  const priorities = [...new Set(services.map(({ priority }) => priority))].sort((x, y) => x - y)
  return priorities.flatMap((priority) =>
    orderByWeight(
      services.filter((service) => service.priority === priority),
      random,
    ),
  )
}

function orderByWeight(services: readonly DnsService[], random: Random): DnsService[] {
  // Those without weight come first among the running sums, and so have a small chance of their own.
  const left = [...services].sort((x, y) => Number(x.weight > 0) - Number(y.weight > 0))
  const ordered: DnsService[] = []
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0)
    const mark = randomBelow(random, total + 1)
    let sum = 0
    const index = left.findIndex(({ weight }) => {
      sum += weight
      return sum >= mark
    })
    ordered.push(...left.splice(index, 1))
  }
  return ordered
}

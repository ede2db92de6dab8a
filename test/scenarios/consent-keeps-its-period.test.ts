/** RFC 7675 §5.1 on the wire: a check every 4 to 6 s on the pair in use, for as long as the session lasts. */

import { expect, test } from 'vitest'
import { Cell, hostBehind } from '../support/ice-cell.ts'

test.each([false, true])('for ten minutes, over a relay: %s', async (relay) => {
  const cell = await Cell.run({
    side: { relay },
    a: (internet) => hostBehind(internet, relay ? 'PP' : 'EP'),
    b: (internet) => hostBehind(internet, relay ? 'PP' : 'EP'),
    forMs: 600_000,
  })
  for (const side of cell.sides) {
    const seen = cell.wire.checks.filter(
      ({ from, isNew, at }) => from === side.host.name && isNew && at > cell.start + 10_000,
    )
    // Valid pairs that are not in use are probed now and then: the pair in use has the most checks by far.
    const counts = Map.groupBy(seen, ({ path }) => path)
    const [busiest = []] = [...counts.values()].sort((x, y) => y.length - x.length)
    const times = busiest.map(({ at }) => at)
    const gaps = times.slice(1).map((at, i) => at - times[i]!)
    expect(gaps.length).toBeGreaterThan(100)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4000)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(6000)
  }
  expect(cell.sides.map(({ state }) => state)).toEqual(['completed', 'completed'])
})

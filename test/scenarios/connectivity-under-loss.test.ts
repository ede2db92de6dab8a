/** A fifth of all packets is lost on their way: what connects without loss connects all the same, and later. */

import { describe, expect, test } from 'vitest'
import { Cell, hostBehind, kinds } from '../support/ice-cell.ts'
import { brokenInvariants, busyLoops, leftovers } from '../support/ice-invariants.ts'

const cells = kinds.flatMap((x) => kinds.map((y) => ({ x, y })))

/** Each side sends until the other has heard something. */
function canTalk(cell: Cell): boolean {
  const { internet } = cell.world
  for (let i = 0; i < 40 && !cell.sides.every((side) => side.received.length > 0); i++) {
    for (const side of cell.sides) side.send('hello')
    internet.run({ for: 100 })
  }
  return cell.sides.every((side) => side.received.length > 0)
}

describe('with a relay for who needs it', () => {
  test.each(cells)('$x and $y', async ({ x, y }) => {
    const cell = await Cell.run({
      internet: {
        seed: kinds.indexOf(x) * 11 + kinds.indexOf(y) + 1,
        link: { delayMs: 10, loss: 1 - Math.sqrt(0.8) },
      },
      side: { relay: true },
      forMs: 20_000,
      a: (internet) => hostBehind(internet, x),
      b: (internet) => hostBehind(internet, y),
    })
    expect(cell.sides.map(({ state }) => state)).not.toContain('failed')
    expect(cell.times(40).both).toBeLessThan(Number.POSITIVE_INFINITY)
    // What one side has chosen may take the other side's answers their time.
    for (let i = 0; i < 12 && brokenInvariants(cell).length > 0; i++) cell.world.internet.run({ for: 5000 })
    expect(brokenInvariants(cell)).toEqual([])
    expect(canTalk(cell)).toBe(true)
    expect(busyLoops(cell)).toEqual([])
    cell.world.serverHost.interface().changeLink({ loss: 0 })
    for (const { host } of cell.sides) host.interface().changeLink({ loss: 0 })
    expect(leftovers(cell).filter((line) => !line.includes('allocation'))).toEqual([])
  })
})

/** A fifth of all packets is lost on their way: what connects without loss connects all the same, and later. */

import { describe, expect, test } from 'vitest'
import { Cell, hostBehind, kinds } from '../support/ice-cell.ts'
import { allInvariants, brokenInvariants, standing } from '../support/ice-invariants.ts'

const cells = kinds.flatMap((x) => kinds.map((y) => ({ x, y })))

const beforeClosing = allInvariants.slice(0, -1)
const ending = allInvariants.slice(-1)

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
    for (let i = 0; i < 12 && (await brokenInvariants(cell, standing)).length > 0; i++) {
      cell.world.internet.run({ for: 5000 })
    }
    expect(await brokenInvariants(cell, beforeClosing)).toEqual([])
    // The last word to the server is said once, and has to arrive.
    cell.world.serverHost.interface().changeLink({ loss: 0 })
    for (const { host } of cell.sides) host.interface().changeLink({ loss: 0 })
    // An allocation whose success never came back is not the client's to end: the server ends it.
    const left = await brokenInvariants(cell, ending)
    expect(left.filter((line) => !/allocations are left/.test(line))).toEqual([])
  })
})

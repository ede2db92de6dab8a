/**
 * Eleven kinds of network on each side (RFC 4787's nine NATs, a public address, a public address behind a stateful
 * firewall): which pair wins, and when. H host, S server-reflexive, P peer-reflexive, R relayed candidate.
 */

import { describe, expect, test } from 'vitest'
import { Cell, hostBehind, type Kind, kinds } from '../support/ice-cell.ts'
import { brokenInvariants } from '../support/ice-invariants.ts'
import { boundsOf } from '../support/reachable.ts'

/**
 * Rows: the controlling side. `--`: nothing but a relay helps. The two cells of PA and PE are `--` although every packet
 * arrives: each answer comes from a new port, which RFC 8445 §7.2.5.2.1 does not take for an answer.
 */
const expected: Readonly<Record<Kind, string>> = {
  //      OPEN FW EE EA EP AE AA AP PE PA PP
  OPEN: 'HH HH HS HS HS HP HP HP HP HP HP',
  FW: 'HH HH HS HS HS -- -- -- -- -- --',
  EE: 'SH SH SS SS SS SP SP SP SP SP SP',
  EA: 'SH SH SS SS SS SP SP SP SP SP SP',
  EP: 'SH SH SS SS SS -- -- -- -- -- --',
  AE: 'PH -- PS PS -- PP PP -- PP PP --',
  AA: 'PH -- PS PS -- PP -- -- PP -- --',
  AP: 'PH -- PS PS -- -- -- -- -- -- --',
  PE: 'PH -- PS PS -- PP PP -- -- -- --',
  PA: 'PH -- PS PS -- PP -- -- -- -- --',
  PP: 'PH -- PS PS -- -- -- -- -- -- --',
}

const roundTripMs = 40
const toleranceMs = 1
const pacingMs = 5

const cells = kinds.flatMap((x) => kinds.map((y) => ({ x, y })))

function expectedOf(x: Kind, y: Kind): string {
  return expected[x].split(' ')[kinds.indexOf(y)]!
}

function run(x: Kind, y: Kind, relay: boolean): Promise<Cell> {
  return Cell.run({
    a: (internet) => hostBehind(internet, x),
    b: (internet) => hostBehind(internet, y),
    side: { relay },
  })
}

describe('without a relay', () => {
  test.each(cells)('$x and $y', async ({ x, y }) => {
    const cell = await run(x, y, false)
    const winner = expectedOf(x, y)
    expect(cell.winner).toBe(winner === '--' ? 'none' : winner)
    if (winner !== '--') {
      const { first, both, nominated } = cell.times(roundTripMs)
      const bounds = boundsOf(x, y)!
      // To the millisecond what the model says is the least, so that it is the least, and we reach it.
      for (const [actual, bound] of [
        [first, bounds.first],
        [both, bounds.both],
        [nominated, bounds.nominated],
      ] as const) {
        expect(actual).toBeGreaterThanOrEqual(bound - 1e-9)
        expect(actual).toBeLessThanOrEqual(bound + toleranceMs / roundTripMs)
      }
    }
    expect(await brokenInvariants(cell)).toEqual([])
  })
})

describe('with a relay', () => {
  test.each(cells)('$x and $y', async ({ x, y }) => {
    const cell = await run(x, y, true)
    const direct = expectedOf(x, y)
    expect(cell.winner).toBe(direct === '--' ? relayedOf(x) : direct)
    const { first, both, nominated } = cell.times(roundTripMs)
    const bounds = boundsOf(x, y) ?? relayed
    // There is more to check, and each check that answers one, and a nomination after it, may find a slot just taken.
    const late = (slots: number) => (slots * pacingMs + toleranceMs) / roundTripMs
    const { triggered } = bounds
    expect(first).toBeLessThanOrEqual(bounds.first + late(triggered))
    expect(both).toBeLessThanOrEqual(bounds.both + late(triggered))
    expect(nominated).toBeLessThanOrEqual(bounds.nominated + late(triggered > 0 ? triggered + 1 : 0))
    expect(await brokenInvariants(cell)).toEqual([])
  })
})

/** Through a relay it is twice as far, and the direct pair is checked before. */
const relayed = { first: 2, both: 2, nominated: 4, triggered: 1 }

/** The controlling side's own address and the other one's relay; of its own relay, if only that gets through a firewall. */
function relayedOf(x: Kind): string {
  if (x === 'FW') return 'HR'
  return x[0] === 'P' ? 'PR' : 'SR'
}

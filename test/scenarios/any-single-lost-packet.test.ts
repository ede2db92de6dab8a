/** Whichever one of the first packets gets lost, the two sides connect. */

import { describe, expect, test } from 'vitest'
import { Cell, hostBehind, type Kind } from '../support/ice-cell.ts'
import { brokenInvariants, dataFaults, standing } from '../support/ice-invariants.ts'

/** Of those that the two sides and their servers send once both know of each other. */
const packets = 12

const pairs: readonly (readonly [Kind, Kind, boolean])[] = [
  ['EP', 'EP', false],
  ['OPEN', 'PP', false],
  ['EA', 'PP', false],
  ['PP', 'PP', true],
]

describe.each(pairs)('%s and %s, relay: %s', (x, y, relay) => {
  test.each(Array.from({ length: packets }, (_, i) => i + 1))('without packet %i', async (lost) => {
    let sent = 0
    let isCounting = false
    const cell = await Cell.run({
      side: { relay },
      a: (internet) => hostBehind(internet, x),
      b: (internet) => {
        internet.intercept(() => !isCounting || ++sent !== lost)
        return hostBehind(internet, y)
      },
      onStart: () => {
        isCounting = true
      },
      forMs: 10_000,
    })
    expect(sent).toBeGreaterThanOrEqual(packets)
    expect(cell.sides.map(({ state }) => state)).toEqual(['completed', 'completed'])
    expect(await brokenInvariants(cell, standing)).toEqual([])
    expect(dataFaults(cell)).toEqual([])
    // One retransmission, and what follows it.
    expect(cell.times(1).both).toBeLessThanOrEqual(500 + 5 * 40)
  })
})

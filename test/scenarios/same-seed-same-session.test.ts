/** A session is determined by its seed: every packet, byte and millisecond. */

import { expect, test } from 'vitest'
import { Cell, hostBehind, type Kind } from '../support/ice-cell.ts'

const pairs: readonly (readonly [Kind, Kind])[] = [
  ['OPEN', 'OPEN'],
  ['EP', 'PP'],
  ['AA', 'PE'],
  ['PP', 'PP'],
]

function transcript(x: Kind, y: Kind, seed: number): Promise<string> {
  return Cell.run({
    internet: { seed, link: { delayMs: 10, jitterMs: 5, loss: 0.05 } },
    side: { relay: true },
    a: (internet) => hostBehind(internet, x),
    b: (internet) => hostBehind(internet, y),
    forMs: 30_000,
  }).then((cell) => cell.world.internet.transcriptHash)
}

test.each(pairs)('%s and %s', async (x, y) => {
  const first = await transcript(x, y, 1)
  expect(await transcript(x, y, 1)).toBe(first)
  expect(await transcript(x, y, 2)).not.toBe(first)
})

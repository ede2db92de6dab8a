/**
 * Random sessions by seed: what is between the two sides, losses, restarts, changes of address. `npm run fuzz:ice` does
 * a hundred thousand; seeds that failed once are kept here, shrunk.
 */

import { describe, expect, test } from 'vitest'
import { type Feature, features, runScenario } from '../support/ice-fuzz.ts'

const seeds = 200
const perTest = 20

const regressions: readonly { readonly seed: number; readonly only?: readonly Feature[] }[] = [
  // A session that has failed on both sides is restarted by one of them.
  { seed: 7, only: ['event 1', 'event 2'] },
  { seed: 10, only: ['event 4'] },
  // A pair is nominated that has not been asked for consent for long.
  { seed: 15, only: ['jitter', 'continual gathering', 'event 1'] },
  { seed: 23, only: ['event 4'] },
  { seed: 27, only: ['event 4'] },
  { seed: 92, only: ['event 4'] },
  // The wait for a keepalive ends by rounding where it began.
  { seed: 94 },
  // The second of two restarts is answered with what was told after the first.
  { seed: 133, only: ['event 2', 'event 4'] },
  { seed: 164, only: ['loss', 'no renomination', 'event 1', 'event 4'] },
  // Two nominations are on their way and the path in use is silent.
  { seed: 291 },
  // What is lost of a consent check is always the answer.
  { seed: 465, only: ['loss', 'duplicates', 'reordering', 'mdns', 'event 4'] },
  // Several pairs are nominated at once when a path is lost.
  { seed: 720, only: ['no renomination', 'continual gathering', 'event 4'] },
  // A NAT gives both streams new addresses.
  { seed: 759, only: ['second stream', 'event 3'] },
  { seed: 1076 },
  // A restart comes when the session has been connecting for long.
  { seed: 1097, only: ['second stream', 'event 1', 'event 2'] },
  { seed: 1106 },
  // A new address has the foundation of one that is being checked.
  { seed: 1287, only: ['signaling delay', 'event 1', 'event 4'] },
  // What binds a channel reaches the server, and no answer comes back.
  { seed: 10910, only: ['loss', 'reordering', 'carrier', 'event 2', 'event 4'] },
  // A nomination reaches the peer, and its answer does not come back.
  { seed: 13940, only: ['loss', 'duplicates', 'carrier', 'mdns', 'role conflict', 'event 2'] },
  { seed: 16615, only: ['loss', 'carrier', 'role conflict', 'event 1'] },
]

describe('whatever happens, they connect in the end if they can, and nothing runs wild', () => {
  test.each(Array.from({ length: seeds / perTest }, (_, i) => 1 + i * perTest))(
    'seeds from %i',
    async (first) => {
      for (let seed = first; seed < first + perTest; seed++) {
        const { faults, description } = await runScenario(seed)
        expect(faults, `seed ${seed}: ${description}`).toEqual([])
      }
    },
  )

  test.each(regressions)('seed $seed, which failed once', async ({ seed, only = features }) => {
    const { faults, description } = await runScenario(seed, without(only))
    expect(faults, description).toEqual([])
  })
})

function without(only: readonly Feature[]): Feature[] {
  return features.filter((feature) => !only.includes(feature))
}

test('a seed gives the same session every time, and another one without a feature', async () => {
  // A seed with losses.
  let seed = 1
  while (!(await runScenario(seed)).description.includes('loss')) seed++
  const { hash } = await runScenario(seed)
  expect((await runScenario(seed)).hash).toBe(hash)
  expect((await runScenario(seed, features.slice(0, 1))).hash).not.toBe(hash)
})

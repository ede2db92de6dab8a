/** The first of the datagrams of `npm run fuzz:datagrams`. */

import { describe, expect, it } from 'vitest'
import { fuzzDatagrams } from '../../support/datagram-fuzz.ts'
import { libcFor } from '../../support/libc.ts'

const datagrams = 30_000

describe.skipIf(typeof libcFor('a fuzzed driver') === 'string')(
  'a server that is sent whatever there is',
  () => {
    it.each([
      ['mmsg', 2, 1],
      ['dgram', 1, 2],
    ] as const)(
      'serves on, and has closed all that it opened (%s, %d workers)',
      async (io, workers, seed) => {
        const report = await fuzzDatagrams({ datagrams, seed, io, workers, reserves: false })
        const { descriptors, counters, exitCode } = report
        expect(exitCode).toBe(0)
        expect(descriptors.after).toBe(descriptors.before)
        expect(report.sent).toBeGreaterThanOrEqual(datagrams)
        // Nothing is lost on the way, but for what comes faster than a buffer is emptied.
        expect(report.handled).toBeGreaterThan(datagrams / 2)
        expect(counters.allocations).toBe(0)
        for (const reason of ['bad-message', 'not-stun', 'bad-channel-data', 'no-channel'] as const)
          expect(counters.drops[reason]).toBeGreaterThan(0)
      },
      300_000,
    )
  },
)

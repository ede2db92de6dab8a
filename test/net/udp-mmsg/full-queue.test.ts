/** Sending into a link whose queue is full: packets are lost and counted, and nothing waits for them. */

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { missingNamespaces, runInNamespace } from '../../support/network-namespace.ts'

const slowLink = 'tc qdisc replace dev lo root tbf rate 8kbit burst 1600 limit 2000'

const missing = missingNamespaces('the mmsg driver and a full queue', slowLink)

const script = fileURLToPath(new URL('full-queue.ts', import.meta.url))

describe.skipIf(missing !== undefined)('the mmsg driver on a link that is full', () => {
  it.each(['recvmmsg', 'io_uring'])('drops and counts what the system does not take (%s)', (io) => {
    const result = runInNamespace(script, 1500, [io], slowLink)
    expect(result).toEqual({ reasons: ['ENOBUFS'], isEachCounted: true, hasRefused: true })
  })
})

/** DONT-FRAGMENT and segmentation where packets may not fit the link: loopback with an MTU of 1,500. */

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { missingNamespaces, runInNamespace } from '../../support/network-namespace.ts'

const missing = missingNamespaces('the mmsg driver with a small MTU')

const script = fileURLToPath(new URL('small-mtu.ts', import.meta.url))

describe.skipIf(missing !== undefined)('the mmsg driver where packets may not fit the link', () => {
  it.each(['recvmmsg', 'io_uring'])(
    'sets DF when asked and only then, tells of what was too big, and cuts no runs of packets that are (%s)',
    (io) => {
      const result = runInNamespace(script, 1500, [io]) as { received: number[]; sentMessages: number }
      expect(result).toMatchObject({ icmp: [[3, 4, 1500]], refused: [['EMSGSIZE', 1]] })
      expect(result.received.slice(0, 2)).toEqual([1000, 3000])
      // The first run that is too long is found out by its failure, and may be overtaken.
      const runs = [...new Array(20).fill(1000), ...new Array(20).fill(2000)]
      expect(result.received.slice(2).sort((x, y) => x - y)).toEqual(runs)
      // Twenty runs of one, and runs of short packets.
      expect(result.sentMessages).toBeLessThan(30)
    },
  )
})

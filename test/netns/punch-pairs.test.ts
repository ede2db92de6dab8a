/** Two homes behind NATs of nftables try for real: what happens is what was predicted, for every pair of seven kinds. */

import { beforeAll, describe, expect, it } from 'vitest'
import type { PunchReport } from '../../src/probe/punch.ts'
import { missingLab, startLab } from '../support/lab/namespaces.ts'

const missing = missingLab('hole punching in network namespaces')

/** Pairs that need a relay (facts of two NATs): symmetric mappings meet filters by port, or each other. */
const relayed = ['2/10', '2/11', '3/10', '3/11', '10/10', '10/11', '11/11']
const kinds = ['1', '2', '3', '5', '6', '10', '11']
const pairs = kinds.flatMap((x, i) => kinds.slice(i).map((y) => `${x}/${y}`))

describe.skipIf(missing !== undefined)('two homes with the NATs of these recipes', () => {
  const results = new Map<string, readonly PunchReport[]>()

  beforeAll(async () => {
    const { code, output, stdout } = await startLab('test/support/lab/punch-main.ts', [], 600).ended
    expect(code, output.slice(-4000)).toBe(0)
    for (const line of stdout.trim().split('\n')) {
      const { pair, reports } = JSON.parse(line)
      results.set(pair.map((name: string) => name.split(' ')[0]).join('/'), reports)
    }
  }, 600_000)

  it.each(pairs)('%s: as predicted', (pair) => {
    for (const report of results.get(pair)!) {
      const all = JSON.stringify(report, null, 1)
      expect(report.asPredicted.value, all).toBe(true)
      expect(report.connected.value, all).toBe(!relayed.includes(pair))
    }
  })

  it('turnpike punch on both sides, with codes by copy and paste', () => {
    for (const report of results.get('command')!) {
      expect(report, JSON.stringify(report, null, 1)).toMatchObject({
        connected: { value: true },
        asPredicted: { value: true },
        path: { local: { type: 'srflx' } },
      })
    }
  })
})

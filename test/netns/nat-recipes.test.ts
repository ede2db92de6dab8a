/** `probeNat` and `probeLifetime` behind the NATs that Linux can be: every recipe is named rightly. */

import { beforeAll, describe, expect, it } from 'vitest'
import type { LifetimeReport } from '../../src/probe/lifetime.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import { missingLab, startLab } from '../support/lab/namespaces.ts'
import { recipes } from '../support/lab/recipes.ts'

const missing = missingLab('NATs of nftables in network namespaces')

describe.skipIf(missing !== undefined)('behind a NAT of nftables', () => {
  const reports = new Map<string, ProbeReport | LifetimeReport>()

  beforeAll(async () => {
    const { code, output, stdout } = await startLab('test/support/lab/recipes-main.ts', [], 600).ended
    expect(code, output.slice(-4000)).toBe(0)
    for (const line of stdout.trim().split('\n')) {
      const { name, report } = JSON.parse(line)
      reports.set(name, report)
    }
  }, 600_000)

  it.each(recipes)('$name', ({ name, udp, tcp = {}, lifetime }) => {
    const report = reports.get(name)!
    const all = JSON.stringify(report, null, 1)
    if ('families' in report) {
      expect(report.families.udp4, all).toMatchObject(udp)
      expect(report.families.tcp4, all).toMatchObject(tcp)
    } else {
      expect(report.single.aliveS, all).toBe(lifetime?.single)
      expect(report.stream.aliveS, all).toBe(lifetime?.stream)
    }
  })
})

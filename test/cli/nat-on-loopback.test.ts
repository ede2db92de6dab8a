/** `turnpike nat` as a process against a NAT of real sockets: each of the nine behaviours is named rightly. */

import { it } from 'vitest'
import { filterings, mappings } from '../../src/probe/behavior.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import { natOnLoopback } from '../support/loopback-place.ts'
import { startCli } from '../support/programs.ts'

/** A machine that is too busy for the five seconds leaves something open, which is no wrong word: it is asked again. */
const attempts = 4

const cells = mappings.flatMap((mapping) => filterings.map((filtering) => ({ mapping, filtering })))

it.concurrent.for(cells)('$mapping with $filtering', async ({ mapping, filtering }, { expect }) => {
  const nat = await natOnLoopback(mapping, filtering)
  try {
    for (let attempt = 1; ; attempt++) {
      const ended = await startCli(['nat', `stun:${nat.inside}`, '-4', '--json']).ended
      const report: ProbeReport = JSON.parse(ended.stdout)
      const udp = report.families.udp4!
      expect(udp.nat?.mapping.possible, ended.output).toContain(mapping)
      expect(udp.nat?.filtering.possible, ended.output).toContain(filtering)
      const isOpen = udp.nat?.mapping.value == null || udp.nat.filtering.value === null
      if (isOpen && attempt < attempts) continue
      expect(ended.code).toBe(0)
      expect(udp).toMatchObject({
        isDirect: { value: false },
        nat: { mapping: { value: mapping, vantage: 'rfc5780' }, filtering: { value: filtering } },
      })
      expect(udp.mapped[0]).toMatch(new RegExp(`^${nat.externalIp}:\\d+$`))
      return
    }
  } finally {
    await nat.close()
  }
})

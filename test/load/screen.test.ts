/** What `turnpike load` prints: golden screens, and JSON by its schema. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { announcementOf, loadScreen } from '../../src/cli/load-screen.ts'
import { render } from '../../src/cli/screen/render.ts'
import type { LoadReport } from '../../src/load/report.ts'
import { LoadWorld, smallPlan } from '../support/load-world.ts'

const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
const isLoad = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false }).compile(
  JSON.parse(readFileSync('docs/schemas/load-1.schema.json', 'utf8')),
)

/** As a server on this machine would have it. */
const measured = {
  pid: 4711,
  cpuSeconds: 0.123,
  cpuMicrosecondsPerPacket: 3.214,
  packetsPerCpuSecond: 311_138,
  residentBytes: 151_000_000,
  bytesPerAllocation: 8100,
} as const

async function reportOf(name: string): Promise<LoadReport> {
  switch (name) {
    case 'through': {
      const world = new LoadWorld()
      await world.serve()
      return { ...(await world.load()), process: measured }
    }
    case 'lossy': {
      const world = new LoadWorld({ line: { loss: 0.02 } })
      await world.serve()
      return world.load({ plan: { ...smallPlan, direction: 'down', rate: 1000 } })
    }
    case 'allocations-only': {
      const world = new LoadWorld({ config: { unauthenticatedRate: 10 } })
      await world.serve()
      return {
        ...(await world.load({ plan: { ...smallPlan, flows: 60, seconds: 0 } })),
        process: { ...measured, cpuMicrosecondsPerPacket: null, packetsPerCpuSecond: null, cpuSeconds: null },
      }
    }
    case 'quota': {
      const world = new LoadWorld({ config: { userQuota: 3 } })
      await world.serve()
      return world.load()
    }
    default: {
      const report = await new LoadWorld().load()
      return { ...report, io: { driver: 'dgram', because: 'no node:ffi (ERR_ACCESS_DENIED)' } }
    }
  }
}

describe.each(['through', 'lossy', 'allocations-only', 'quota', 'silent'])('a load: %s', (name) => {
  it('fits the screen', async () => {
    const text = render(loadScreen(await reportOf(name)), person)
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`)
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('is one record a line with --plain', async () => {
    const text = render(loadScreen(await reportOf(name)), { ...person, isPlain: true })
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^[a-z0-9-]+: \S/)
  })

  it('is valid by the schema', async () => {
    const report = JSON.parse(JSON.stringify(await reportOf(name)))
    expect(isLoad(report), JSON.stringify(isLoad.errors)).toBe(true)
  })
})

describe('before anything is sent', () => {
  const server = {
    transport: 'udp',
    address: new LoadWorld().serverHost.address(3478),
    name: undefined,
  } as const

  it.each([
    [
      {},
      '5 allocations, then 200 packets/s of 100 bytes both ways for 2 s (400 packets, 40.0 kB, 0.2 Mbit/s to the server and from it)',
    ],
    [
      { rate: undefined, flows: 1 },
      '1 allocation, then as many packets as come back of 100 bytes both ways for 2 s',
    ],
    [{ seconds: 0, flows: 5000 }, '5,000 allocations and no data'],
  ])('it says what that will be', (more, text) => {
    const plan = { ...smallPlan, ...more }
    expect(announcementOf(plan, server, { io: 'mmsg', because: undefined })).toBe(
      `turnpike load: ${text}; to ${server.address} by UDP, with mmsg`,
    )
  })
})

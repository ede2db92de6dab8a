/** What a relay carries, against simulated lines of known width; the screen, the schema, the exit codes. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { render } from '../../src/cli/screen/render.ts'
import { exitCodeOf } from '../../src/cli/throughput.ts'
import { throughputScreen } from '../../src/cli/throughput-screen.ts'
import { anonymizedThroughput } from '../../src/probe/anonymize.ts'
import { bytesOf, doublingUpTo, probeThroughput, type ThroughputOptions } from '../../src/probe/throughput.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { runMain } from '../support/run-main.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const user = { name: 'user', password: 'pass' }
const plan = { mbitsPerSecond: doublingUpTo(8), secondsPerStep: 1, payloadBytes: 1200 }
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isReport = ajv.compile(JSON.parse(readFileSync('docs/schemas/throughput-1.schema.json', 'utf8')))
const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }

interface Line {
  readonly bitsPerSecond?: number
  readonly password?: string
  readonly isDown?: boolean
  readonly interruptAtMs?: number
  readonly plan?: ThroughputOptions['plan']
}

async function measure(line: Line) {
  const internet = new Internet({ seed: 2 })
  const host = internet.host()
  const address = host.address(3478)
  const server = startServer(
    {
      ...defaultConfig,
      users: [user],
      listen: [
        {
          transport: 'udp',
          address: line.isDown === true ? address.withPort(9) : address,
          isOptional: false,
        },
      ],
    },
    host,
    quiet,
  )
  await internet.until(server)
  const link =
    line.bitsPerSecond === undefined
      ? { delayMs: 10 }
      : { delayMs: 10, bitsPerSecond: line.bitsPerSecond, queueBytes: 20_000 }
  const client = internet.host({ link })
  const stop = new AbortController()
  if (line.interruptAtMs !== undefined) internet.at(internet.now + line.interruptAtMs, () => stop.abort())
  const report = await internet.until(
    probeThroughput(client, {
      uri: parseServerUri(`turn:${address}`),
      credentials: { username: user.name, password: line.password ?? user.password },
      plan: line.plan ?? plan,
      signal: stop.signal,
    }),
  )
  return { report }
}

describe('the throughput of a relay', () => {
  it('climbs to the last step on a wide line', async () => {
    const { report } = await measure({})
    expect(report).toMatchObject({ end: 'plan', failure: null, transport: 'udp' })
    expect(report.steps.map(({ targetMbits }) => targetMbits)).toEqual([1, 2, 4, 8])
    for (const { roundTrips, targetMbits, goodputMbits, reordered } of report.steps) {
      expect(roundTrips.loss).toBe(0)
      expect(reordered).toBe(0)
      expect(goodputMbits).toBeGreaterThan(targetMbits * 0.97)
      expect(goodputMbits).toBeLessThan(targetMbits * 1.03)
    }
    expect(report.bestMbits).toBeGreaterThan(7.7)
    expect(report.relays).toHaveLength(2)
  })

  it('ends where a narrow line begins to lose', async () => {
    const { report } = await measure({ bitsPerSecond: 5_000_000 })
    expect(report.end).toBe('loss')
    expect(report.steps.map(({ targetMbits }) => targetMbits)).toEqual([1, 2, 4, 8])
    expect(report.steps.at(-1)?.roundTrips.loss).toBeGreaterThan(0.3)
    expect(report.bestMbits).toBeGreaterThan(3.9)
    expect(report.bestMbits).toBeLessThan(4.1)
    expect(exitCodeOf(report)).toBe(0)
  })

  it('shows a queue by its round trips', async () => {
    const { report } = await measure({ bitsPerSecond: 5_000_000 })
    const [first, , , last] = report.steps
    expect(last?.roundTrips.p95Ms).toBeGreaterThan(first!.roundTrips.p95Ms! + 20)
  })

  it('of a line that carries not even the first step is none', async () => {
    const { report } = await measure({ bitsPerSecond: 500_000 })
    expect(report).toMatchObject({ end: 'loss', bestMbits: null })
    expect(report.steps).toHaveLength(1)
    expect(exitCodeOf(report)).toBe(1)
  })

  it('is not measured with a wrong password, which is said', async () => {
    const { report } = await measure({ password: 'wrong' })
    expect(report.failure).toMatchObject({ isRefused: true, isUnreachable: false })
    expect(report.failure?.what).toMatch(/^the server makes no allocation: 401/)
    expect(exitCodeOf(report)).toBe(5)
  })

  it('is not measured where nobody answers', async () => {
    const { report } = await measure({ isDown: true })
    expect(report.failure).toMatchObject({ isRefused: false, isUnreachable: true })
    expect(exitCodeOf(report)).toBe(4)
  })

  it('tells what is known when it is interrupted', async () => {
    const { report } = await measure({ interruptAtMs: 2600 })
    expect(report.end).toBe('interrupted')
    expect(report.steps.length).toBeGreaterThan(0)
    expect(report.steps.length).toBeLessThan(4)
    expect(report.bestMbits).not.toBe(null)
    // What was under way is not called lost.
    expect(report.steps.map(({ roundTrips }) => roundTrips.loss)).toEqual([
      ...report.steps.slice(1).map(() => 0),
      null,
    ])
    expect(isReport(JSON.parse(JSON.stringify(report))), JSON.stringify(isReport.errors)).toBe(true)
  })

  it('sends no more than it has said', async () => {
    const { report } = await measure({})
    const perPacket = plan.payloadBytes + 4 + 28
    const sent = report.steps.reduce((sum, { roundTrips }) => sum + roundTrips.sent + roundTrips.received, 0)
    expect(sent * perPacket).toBeLessThanOrEqual(report.plan.mostBytes + 4 * 2 * perPacket)
    expect(bytesOf(plan)).toBe(report.plan.mostBytes)
  })
})

describe('the screen of turnpike throughput', () => {
  it.each([
    ['carries', { bitsPerSecond: 5_000_000 }],
    ['refused', { password: 'wrong' }],
    ['too-narrow', { bitsPerSecond: 500_000 }],
  ] as [string, Line][])('%s', async (name, line) => {
    const { report } = await measure(line)
    expect(isReport(JSON.parse(JSON.stringify(report))), JSON.stringify(isReport.errors)).toBe(true)
    const text = render(throughputScreen(report), person)
    await expect(text).toMatchFileSnapshot(`golden/throughput-${name}.txt`)
    for (const row of text.split('\n')) expect([...row].length, row).toBeLessThanOrEqual(80)
    const plain = render(throughputScreen(report), { ...person, isPlain: true })
    for (const row of plain.trimEnd().split('\n')) expect(row).toMatch(/^[a-z0-9-]+: \S/)
  })
})

describe('the report of turnpike throughput', () => {
  it('has the packets of each step with --verbose', async () => {
    const { report } = await measure({ bitsPerSecond: 5_000_000 })
    const text = render(throughputScreen(report, { verbose: true }), person)
    await expect(text).toMatchFileSnapshot('golden/throughput-verbose.txt')
    for (const row of text.split('\n')) expect([...row].length, row).toBeLessThanOrEqual(80)
  })

  it.each([{}, { password: 'wrong' }])('hides names and addresses on demand: %j', async (line) => {
    const report = JSON.parse(JSON.stringify(anonymizedThroughput((await measure(line)).report)))
    expect(JSON.stringify(report)).not.toMatch(/20\.0\.0/)
    expect(isReport(report), JSON.stringify(isReport.errors)).toBe(true)
  })
})

describe('the command line', () => {
  it('sends nothing beyond loopback without --yes, and says what it would send', async () => {
    const { code, stderr } = await runMain(['throughput', 'turn:192.0.2.1:3478', '--up-to', '4'])
    expect(code).toBe(2)
    expect(stderr).toContain('turn:192.0.2.1:3478 is not on loopback: add --yes')
    expect(stderr).toMatch(/up to 3\.6 MB in all: 1, 2, 4 Mbit\/s for 2 s each/)
  })
})

/** `runLoad` in virtual time: what it counts, what it says of faults, and that it leaves nothing behind. */

import { describe, expect, it } from 'vitest'
import { later } from '../../src/core/time.ts'
import type { LoadProgress } from '../../src/load/run.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { LoadWorld, smallPlan } from '../support/load-world.ts'

describe('a load', () => {
  it.each(['up', 'down', 'both'] as const)(
    'counts every packet %s, and how long it took',
    async (direction) => {
      const world = new LoadWorld()
      await world.serve()
      const { traffic, allocations, problems, isPartial } = await world.load({
        plan: { ...smallPlan, direction },
      })
      const { up, down } = traffic!
      const each = direction === 'both' ? 200 : 400
      const counted = { sent: expect.closeTo(each, -1), received: expect.closeTo(each, -1), loss: 0 }
      expect(up).toEqual(direction === 'down' ? null : counted)
      expect(down).toEqual(direction === 'up' ? null : counted)
      // To the server and to the peer: two lines of 10 ms each time.
      expect(traffic!.latencyMs!.p50).toBeGreaterThanOrEqual(40)
      expect(traffic!.latencyMs!.longest).toBeLessThan(42)
      expect(allocations).toMatchObject({ made: 5, repeated: 0, lost: 0 })
      expect({ problems, isPartial }).toEqual({ problems: [], isPartial: false })
    },
  )

  it('is the same when it is run again', async () => {
    const reports = []
    for (let i = 0; i < 2; i++) {
      const world = new LoadWorld({ line: { loss: 0.05 } })
      await world.serve()
      reports.push(await world.load())
    }
    expect(reports[0]).toEqual(reports[1])
  })

  it('tells how much was lost on the way', async () => {
    const world = new LoadWorld({ line: { loss: 0.1 } })
    await world.serve()
    const { traffic, problems } = await world.load({ plan: { ...smallPlan, rate: 2000 } })
    // Each packet goes over the lossy line twice.
    expect(traffic!.loss).toBeGreaterThan(0.15)
    expect(traffic!.loss).toBeLessThan(0.23)
    expect(problems.every(({ kind }) => kind === 'slow')).toBe(true)
  })

  it('without a rate sends as many as come back', async () => {
    const world = new LoadWorld()
    await world.serve()
    const { traffic } = await world.load({ plan: { ...smallPlan, rate: undefined, seconds: 1 } })
    // 1,024 packets under way at most, 40 ms each.
    expect(traffic!.packetsPerSecond).toBeGreaterThan(20_000)
    expect(traffic!.packetsPerSecond).toBeLessThan(26_000)
    expect(traffic!.loss).toBe(0)
  })

  it('goes on without a rate when packets are lost', async () => {
    const world = new LoadWorld({ line: { loss: 0.05 } })
    await world.serve()
    const { traffic } = await world.load({ plan: { ...smallPlan, rate: undefined, seconds: 1 } })
    expect(traffic!.packetsPerSecond).toBeGreaterThan(5000)
  })

  it('goes by TCP', async () => {
    const world = new LoadWorld()
    const address = world.serverHost.address(5000)
    await world.serve({ listen: [{ transport: 'tcp', address, isOptional: false }] })
    const { traffic, problems } = await world.load({ server: { transport: 'tcp', address, name: undefined } })
    expect({ loss: traffic!.loss, problems }).toEqual({ loss: 0, problems: [] })
  })

  it('of allocations only sends no data', async () => {
    const world = new LoadWorld()
    await world.serve()
    const { traffic, allocations } = await world.load({ plan: { ...smallPlan, flows: 100, seconds: 0 } })
    expect(traffic).toBeNull()
    // The first alone, then 32 at a time; three requests of 40 ms each.
    expect(allocations).toMatchObject({ made: 100, repeated: 0 })
    expect(allocations.seconds).toBeCloseTo(5 * 0.12, 1)
  })

  it('frees its allocations: with a quota of as many it can be run again at once', async () => {
    const world = new LoadWorld({ config: { userQuota: 5 } })
    const server = await world.serve()
    for (let i = 0; i < 3; i++) expect((await world.load()).problems).toEqual([])
    expect(await world.internet.until(server.allocations())).toEqual([])
  })

  it('reaches a peer behind a NAT of its own', async () => {
    const world = new LoadWorld({ isBehindNat: true })
    await world.serve()
    const { traffic } = await world.load()
    expect(traffic!.loss).toBe(0)
  })

  it('tells step by step how far it is', async () => {
    const world = new LoadWorld()
    await world.serve()
    const steps: LoadProgress[] = []
    await world.load({ onProgress: (step) => steps.push(step) })
    expect(new Set(steps.map(({ step }) => step))).toContain('sending')
    const sent = steps.flatMap((step) => (step.step === 'sending' ? [step.sent] : []))
    expect(sent).toEqual([...sent].sort((x, y) => x - y))
  })
})

describe('what goes wrong is named with its cure', () => {
  it('when the password is wrong', async () => {
    const world = new LoadWorld()
    await world.serve()
    const report = await world.load({ credentials: { username: 'alice', password: 'wander' } })
    expect(report.problems).toMatchObject([
      { kind: 'unauthorized', code: '401', text: 'the server knows no "alice" with this password (401)' },
    ])
    expect(report.isPartial).toBe(true)
    expect(report.traffic).toBeNull()
  })

  it('when there is no user', async () => {
    const world = new LoadWorld()
    await world.serve()
    const { problems } = await world.load({ credentials: undefined })
    expect(problems).toMatchObject([
      { kind: 'unauthorized', cure: expect.stringContaining('--password-file') },
    ])
  })

  it('when nobody answers, after five seconds', async () => {
    const world = new LoadWorld()
    const { problems, durationMs } = await world.load()
    expect(problems).toMatchObject([{ kind: 'unreachable', text: expect.stringContaining('no answer from') }])
    expect(durationMs).toBeLessThan(12_000)
  })

  it('when nobody listens', async () => {
    const world = new LoadWorld()
    const address = world.serverHost.address(9)
    const { problems } = await world.load({ server: { transport: 'tcp', address, name: undefined } })
    expect(problems).toMatchObject([{ kind: 'unreachable', code: 'ECONNREFUSED' }])
  })

  it('when the quota is reached, and what was made is freed', async () => {
    const world = new LoadWorld({ config: { userQuota: 3 } })
    const server = await world.serve()
    const report = await world.load()
    expect(report.problems).toMatchObject([
      { kind: 'refused', code: '486', cure: expect.stringContaining('--user-quota') },
    ])
    expect(report.problems[0]!.text).toMatch(/^after 3 of 5 allocations the user's quota is reached \(486/)
    expect(await world.internet.until(server.allocations())).toEqual([])
  })

  it('when no relay port is left', async () => {
    const world = new LoadWorld({ config: { relayPorts: { min: 50_000, max: 50_002 } } })
    await world.serve()
    expect((await world.load()).problems).toMatchObject([
      { kind: 'refused', code: '508', cure: expect.stringContaining('--relay-ports') },
    ])
  })

  it('when the peer may not be reached', async () => {
    const world = new LoadWorld()
    await world.serve({ denyPeers: [parseAddressRange(world.loader.address(0).ip)] })
    expect((await world.load()).problems).toMatchObject([
      { kind: 'refused', code: '403', cure: expect.stringContaining('--allow-peer') },
    ])
  })

  it('when a server on loopback sends us elsewhere', async () => {
    const world = new LoadWorld()
    await world.serve()
    const report = await world.load({ mayLeaveLoopback: false })
    expect(report.problems).toMatchObject([
      {
        kind: 'refused',
        text: expect.stringContaining('which is not loopback'),
        cure: expect.stringContaining('--yes'),
      },
    ])
    expect(report.traffic).toBeNull()
  })

  it('when answers are held back', async () => {
    const world = new LoadWorld({ config: { unauthenticatedRate: 10 } })
    await world.serve()
    const { problems, allocations } = await world.load({ plan: { ...smallPlan, flows: 60, seconds: 0 } })
    expect(allocations.made).toBe(60)
    expect(problems).toMatchObject([
      { kind: 'slow', cure: expect.stringContaining('--unauthenticated-rate 0') },
    ])
  })

  it('when the server ends in the middle', async () => {
    const world = new LoadWorld()
    const server = await world.serve()
    const running = world.load({ plan: { ...smallPlan, seconds: 3 } })
    world.internet.at(1500, () => server.close())
    const { traffic } = await running
    expect(traffic!.loss).toBeGreaterThan(0.2)
  })
})

describe('an aborted load', () => {
  it.each([50, 1000])('after %i ms tells what is known, and frees what there is', async (after) => {
    const world = new LoadWorld()
    const server = await world.serve()
    const plan = { ...smallPlan, flows: 40 }
    const abort = new AbortController()
    const { clock } = world.loader
    clock.schedule(later(clock.now(), after), () => abort.abort())
    const report = await world.load({ plan, signal: abort.signal })
    expect(report.isPartial).toBe(true)
    expect(report.durationMs).toBeLessThan(after + 4000)
    if (after === 1000) expect(report.traffic!.up!.received).toBeGreaterThan(10)
    else expect(report.traffic).toBeNull()
    expect(await world.internet.until(server.allocations())).toEqual([])
  })
})

/** The prediction against what ICE really did: the matrix of test/scenarios/connectivity-matrix.test.ts, and its table. */

import { describe, expect, it } from 'vitest'
import { connects, connectsWith, predict } from '../../src/probe/predict.ts'
import { type Kind, kinds, nats, probeWorld } from '../support/probe-world.ts'

/** Rows and columns: EIM, ADM, APDM, each with EIF, ADF, APDF. D direct, r relay; packets, whatever ICE makes of them. */
const table = [
  'DDD DDD DDD',
  'DDD DDD DDD',
  'DDD rrr rrr',
  'DDr DDr DDr',
  'DDr Drr Drr',
  'DDr rrr rrr',
  'DDr DDr DDr',
  'DDr Drr Drr',
  'DDr rrr rrr',
].map((row) => row.replaceAll(' ', ''))

/** ICE, of the same nine: two pairs fewer, where every answer comes from a new port. */
const ice = table.map((row, i) => (i < 6 ? row : `${row.slice(0, 6)}rrr`))

const pairs = nats.flatMap((x, i) => nats.map((y, j) => ({ x, y, name: `${x.name} and ${y.name}`, i, j })))

describe('two NATs', () => {
  it.each(pairs)('$name: packets', ({ x, y, i, j }) => {
    expect(connects(x, y)).toBe(table[i]![j] === 'D')
  })

  it.each(pairs)('$name: ICE, either way round', ({ x, y, i, j }) => {
    expect(connectsWith([x], [y])).toBe(ice[i]![j] === 'D')
    expect(connectsWith([y], [x])).toBe(connectsWith([x], [y]))
  })
})

describe('two reports', () => {
  const reports = new Map<Kind, ReturnType<typeof probeWorld>>()
  const reportOf = async (kind: Kind, seed: number) => {
    const world = await (reports.get(kind) ?? probeWorld({ seed, kind }))
    reports.set(kind, Promise.resolve(world))
    // Each simulated internet gives the same addresses: the peer is elsewhere.
    return JSON.parse(JSON.stringify(world.report).replaceAll(/"20\.0\.0\.(\d+)/g, `"20.0.${seed}.$1`))
  }

  it.each(kinds.flatMap((x) => kinds.map((y) => ({ x, y, name: `${x.name} and ${y.name}` }))))(
    '$name are told what their behaviours say',
    async ({ x, y }) => {
      const { path, reasons } = predict(await reportOf(x, 1), await reportOf(y, 2))
      expect(path, reasons.join('\n')).toBe(connectsWith([x], [y]) === true ? 'direct' : 'relay')
    },
  )

  it('are told that it is not known where what is not known decides', async () => {
    const [x, y] = [nats[2]!, nats[8]!]
    const a = (await probeWorld({ seed: 1, kind: x, server: 'one-address' })).report
    expect(predict(a, await reportOf(y, 2)).path).toBe('unknown')
    // Whatever the first one is: the second lets everybody in.
    expect(predict(a, await reportOf(nats[0]!, 2)).path).toBe('direct')
  })

  it('are told of blocked UDP', async () => {
    const a = (await probeWorld({ seed: 1, kind: nats[0]!, nat: { outbound: 'udp-dropped' } })).report
    const { path, reasons } = predict(a, await reportOf(nats[0]!, 2))
    expect(path).toBe('unknown')
    expect(reasons[0]).toBe('UDP is blocked at the first side')
  })

  it('are told that they share a NAT, and that it has to hairpin', async () => {
    const a = await reportOf(nats[2]!, 1)
    const b = { ...a, families: { udp4: { ...a.families.udp4, local: '10.99.0.2:5000' } } }
    expect(predict(a, b).reasons.join()).toMatch(/same public address/)
    expect(predict(a, b).path).toBe('unknown')
    expect(predict(a, a).path).toBe('direct')
  })
})

/** Candidate and pair priorities (RFC 8445 §5.1.2.1, §6.1.2.3; RFC 6544 §4.2). */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { candidatePriority, type PriorityInputs } from '../../src/ice/candidate.ts'
import { comparePriority, pairPriority, priorityAsBigInt } from '../../src/ice/pair-priority.ts'

describe('the priority of a candidate', () => {
  const udp = { protocol: 'udp', localPreference: 65_535, component: 1 } as const
  const table: [string, PriorityInputs, number][] = [
    ['host', { ...udp, type: 'host' }, 2_130_706_431],
    ['host, component 2', { ...udp, type: 'host', component: 2 }, 2_130_706_430],
    ['peer-reflexive', { ...udp, type: 'prflx' }, 1_862_270_975],
    ['server-reflexive', { ...udp, type: 'srflx' }, 1_694_498_815],
    ['relayed', { ...udp, type: 'relay' }, 16_777_215],
    ['server-reflexive, second interface', { ...udp, type: 'srflx', localPreference: 65_534 }, 1_694_498_559],
  ]
  it.each(table)('%s', (_name, inputs, expected) => {
    expect(candidatePriority(inputs)).toBe(expected)
  })

  it('puts every TCP candidate that is not relayed below every UDP one that is not', () => {
    const lowestUdp = candidatePriority({ ...udp, type: 'srflx', localPreference: 0 })
    const highestTcp = candidatePriority({ ...udp, protocol: 'tcp', tcpType: 'active', type: 'host' })
    expect(highestTcp).toBeLessThan(lowestUdp)
  })

  it.each([
    ['host', ['active', 'passive', 'so']],
    ['srflx', ['so', 'active', 'passive']],
    ['relay', ['active', 'passive', 'so']],
  ] as const)('orders TCP directions of %s candidates as RFC 6544 recommends', (type, order) => {
    const priorities = order.map((tcpType) => candidatePriority({ ...udp, protocol: 'tcp', tcpType, type }))
    expect(priorities).toEqual([...priorities].sort((x, y) => y - x))
  })
})

describe('the priority of a pair', () => {
  const priority = fc.integer({ min: 1, max: 2 ** 31 - 1 })
  const reference = (g: number, d: number) => {
    const [G, D] = [BigInt(g), BigInt(d)]
    const [min, max] = G < D ? [G, D] : [D, G]
    return (min << 32n) + 2n * max + (G > D ? 1n : 0n)
  }

  it('is 2^32·MIN + 2·MAX + (G>D), exactly', () => {
    fc.assert(
      fc.property(priority, priority, (g, d) => {
        expect(priorityAsBigInt(pairPriority(g, d))).toBe(reference(g, d))
      }),
    )
  })

  it('compares as the 64-bit numbers do, also where doubles are equal', () => {
    fc.assert(
      fc.property(priority, priority, priority, priority, (g1, d1, g2, d2) => {
        const [x, y] = [reference(g1, d1), reference(g2, d2)]
        const expected = x < y ? -1 : x > y ? 1 : 0
        expect(Math.sign(comparePriority(pairPriority(g1, d1), pairPriority(g2, d2)))).toBe(expected)
      }),
    )
    const [x, y] = [pairPriority(2_130_706_431, 16_777_215), pairPriority(16_777_215, 2_130_706_431)]
    expect(Number(priorityAsBigInt(x))).toBe(Number(priorityAsBigInt(y)))
    expect(comparePriority(x, y)).toBeGreaterThan(0)
  })
})

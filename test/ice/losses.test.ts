/** Dropping any single packet, and many of them, delays a connection and never prevents it. */

import { describe, expect, it } from 'vitest'
import { IceHarness } from '../support/ice-harness.ts'
import { seededRandom } from '../support/random.ts'
import type { NatBehavior } from '../support/tiny-nat.ts'

const pairs: [string, NatBehavior | undefined, NatBehavior | undefined][] = [
  ['no NATs', undefined, undefined],
  [
    'port-restricted on both sides',
    { mapping: 'EIM', filtering: 'APDF' },
    { mapping: 'EIM', filtering: 'APDF' },
  ],
  [
    'address-restricted and symmetric',
    { mapping: 'EIM', filtering: 'ADF' },
    { mapping: 'APDM', filtering: 'APDF' },
  ],
  ['symmetric and full cone', { mapping: 'APDM', filtering: 'APDF' }, { mapping: 'EIM', filtering: 'EIF' }],
]

describe.each(pairs)('%s', (_name, natA, natB) => {
  it.each(Array.from({ length: 16 }, (_, i) => i))('connects without packet %i', (lost) => {
    const net = new IceHarness({}, {}, { natA, natB, lose: (_packet, index) => index === lost }).simple()
    expect(net.runUntil(() => net.isCompleted, 5000)).toBe(true)
  })

  it.each([1, 2, 3, 4, 5])('connects where one packet in five is lost (seed %i)', (seed) => {
    const random = seededRandom(seed)
    const net = new IceHarness({}, {}, { natA, natB, seed, lose: () => random.below(5) === 0 }).simple()
    expect(net.runUntil(() => net.isCompleted, 30_000)).toBe(true)
    net.run(60_000)
    expect(['completed', 'disconnected']).toContain(net.a.agent.state)
  })
})

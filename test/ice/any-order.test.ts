/** Signaling in any order, with anything said twice, over a line that loses packets: two agents always connect. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { IceHarness, type Side } from '../support/ice-harness.ts'
import { seededRandom } from '../support/random.ts'
import type { NatBehavior } from '../support/tiny-nat.ts'

const nats = fc.constantFrom<NatBehavior | undefined>(
  undefined,
  { mapping: 'EIM', filtering: 'EIF' },
  { mapping: 'EIM', filtering: 'ADF' },
  { mapping: 'EIM', filtering: 'APDF' },
)

const steps = fc.array(
  fc.record({
    what: fc.constantFrom(
      'description',
      'candidates',
      'candidates again',
      'time',
      'restart',
      'a new interface',
    ),
    who: fc.constantFrom('a', 'b'),
    ms: fc.integer({ min: 0, max: 300 }),
  }),
  { maxLength: 12 },
)

function tellCandidates(net: IceHarness, from: Side): void {
  const to = net.other(from)
  const { ufrag } = from.agent.localDescription
  for (const output of from.outputs) {
    if (output.type !== 'local-candidate' || output.ufrag !== ufrag) continue
    to.agent.addRemoteCandidate(output.candidate, net.now, output.stream)
  }
  net.drain(to)
}

it('two agents always connect, to each other, and have one pair each', () => {
  fc.assert(
    fc.property(nats, nats, steps, fc.nat(1000), fc.nat(30), (natA, natB, script, seed, lossPercent) => {
      const random = seededRandom(seed)
      const lose = () => random.below(100) < lossPercent
      const net = new IceHarness({}, {}, { natA, natB, seed, lose })
      let interfaces = 1
      const addInterface = (of: Side) => {
        interfaces++
        const ip = of.nat === undefined ? (of === net.a ? '192.0.2' : '198.51.100') : '10.0.0'
        const socket = net.addHost(of, `${ip}.${interfaces}:5000`)
        if (of.nat !== undefined) net.addReflexive(of, socket)
      }
      for (const of of [net.a, net.b]) addInterface(of)
      for (const { what, who, ms } of script) {
        const of = net[who]
        if (what === 'description')
          net.other(of).agent.setRemoteDescription(of.agent.localDescription, net.now)
        else if (what === 'restart') of.agent.restart(net.now)
        else if (what === 'a new interface' && interfaces < 6) addInterface(of)
        else tellCandidates(net, of)
        net.drain(net.a)
        net.drain(net.b)
        net.run(ms)
      }
      // The last word of the signaling: both know the newest of each other.
      for (let i = 0; i < 3; i++) net.signalBoth()
      net.lose = () => false
      expect(net.runUntil(() => net.isCompleted, 60_000)).toBe(true)
      net.run(40_000)
      expect(net.isCompleted).toBe(true)
      for (const of of [net.a, net.b]) {
        net.sendData(of, `from ${of.name}`)
        net.run(100)
        expect(net.other(of).received.at(-1)).toBe(`from ${of.name}`)
        expect(of.agent.pairs().filter(({ isNominated }) => isNominated)).toHaveLength(1)
      }
    }),
    { numRuns: 200 },
  )
}, 120_000)

/** The default policy: in which order pairs are checked, and when a pair is left for another. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { instant } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { CandidateType, LocalCandidate, RemoteCandidate } from '../../src/ice/candidate.ts'
import { CandidatePair } from '../../src/ice/candidate-pair.ts'
import { defaultPolicy } from '../../src/ice/default-policy.ts'
import type { PolicyView } from '../../src/ice/policy.ts'

const common = { component: 1, stream: 0, protocol: 'udp', foundation: '1', priority: 1 } as const

function local(address: string, type: CandidateType = 'host'): LocalCandidate {
  const at = TransportAddress.parse(address)
  return { ...common, id: 'l', type, address: at, socket: socketId(1), base: at, checkPriority: 1 }
}

function pairTo(address: string, type: CandidateType, from = local('10.0.0.1:1')): CandidatePair {
  const remote: RemoteCandidate = { ...common, id: 'r', type, address: TransportAddress.parse(address) }
  return new CandidatePair(`${type} ${address}`, from, remote, 'controlling')
}

function view(pairs: readonly CandidatePair[], more: Partial<PolicyView> = {}): PolicyView {
  return {
    now: instant(0),
    role: 'controlling',
    pairs,
    selected: undefined,
    isSilent: false,
    reflexive: [],
    canRenominate: false,
    isComplete: false,
    ...more,
  }
}

describe('the next check', () => {
  const pairs = [
    pairTo('10.0.0.2:1', 'host'),
    pairTo('198.51.100.1:1', 'srflx'),
    pairTo('203.0.113.1:1', 'relay'),
  ]
  const firstOf = (more: Partial<PolicyView>, of = pairs) => defaultPolicy.nextCheck(of, view(of, more))?.id

  it('goes by priority', () => {
    expect(firstOf({})).toBe('host 10.0.0.2:1')
  })

  it('leaves a private address for later when the peer is behind another public one', () => {
    expect(firstOf({ reflexive: [local('192.0.2.1:1', 'srflx')] })).toBe('srflx 198.51.100.1:1')
  })

  it('does not when both are behind the same one', () => {
    expect(firstOf({ reflexive: [local('198.51.100.1:9', 'srflx')] })).toBe('host 10.0.0.2:1')
  })

  it('does not when nobody knows what we look like from outside', () => {
    expect(firstOf({ reflexive: [local('[2001:db8::1]:1', 'srflx')] })).toBe('host 10.0.0.2:1')
  })

  it('leaves it for later when we have a public address ourselves', () => {
    const open = local('192.0.2.1:1')
    const fromOpen = [pairTo('10.0.0.2:1', 'host', open), pairTo('198.51.100.1:1', 'srflx', open)]
    expect(firstOf({}, fromOpen)).toBe('srflx 198.51.100.1:1')
  })

  it('goes there in the end', () => {
    const waiting = [pairs[0]!]
    const reflexive = [local('192.0.2.1:1', 'srflx')]
    expect(defaultPolicy.nextCheck(waiting, view(pairs, { reflexive }))?.id).toBe('host 10.0.0.2:1')
  })
})

describe('leaving the selected pair', () => {
  const measured = (pair: CandidatePair, rttMs: number) => {
    pair.counters.measured(rttMs)
    return pair
  }
  const host = (rttMs: number) => measured(pairTo('198.51.100.1:1', 'host'), rttMs)
  const relay = (rttMs: number) => measured(pairTo('203.0.113.1:1', 'relay'), rttMs)
  const costly = (rttMs: number) =>
    measured(pairTo('198.51.100.1:1', 'host', { ...local('10.0.0.1:1'), networkCost: 50 }), rttMs)
  const cases: [string, CandidatePair, CandidatePair, boolean, boolean][] = [
    ['a direct one for a relay', host(100), relay(10), false, false],
    ['a relay for a direct one', relay(10), host(100), false, true],
    ['100 ms for 80 ms', host(100), host(80), false, true],
    ['100 ms for 91 ms: less than 10 ms', host(100), host(91), false, false],
    ['200 ms for 185 ms: less than 15 %', host(200), host(185), false, false],
    ['a silent one for anything', host(10), relay(500), true, true],
    ['a metered network for a free one', costly(10), host(100), false, true],
    ['a free network for a metered one', host(100), costly(10), false, false],
    ['for one that was never measured', host(100), pairTo('198.51.100.9:1', 'host'), false, false],
  ]
  it.each(cases)('%s', (_name, selected, other, isSilent, expected) => {
    expect(defaultPolicy.shouldSwitch(selected, other, view([selected, other], { selected, isSilent }))).toBe(
      expected,
    )
  })
})

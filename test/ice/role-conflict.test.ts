/** Both sides start with the same role (RFC 8445 §7.3.1.1, §7.2.5.1). */

import { describe, expect, it } from 'vitest'
import { type IceRole, type RoleVerdict, resolveRole } from '../../src/ice/role.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import { decode, IceHarness } from '../support/ice-harness.ts'
import { errorTo } from '../support/ice-messages.ts'
import { decoded, SoloIce } from '../support/ice-solo.ts'

describe('a request that claims a role', () => {
  const table: [IceRole, bigint, IceRole, bigint, RoleVerdict][] = [
    ['controlling', 5n, 'controlling', 4n, 'refuse'],
    ['controlling', 5n, 'controlling', 5n, 'refuse'],
    ['controlling', 5n, 'controlling', 6n, 'switch'],
    ['controlled', 5n, 'controlled', 4n, 'switch'],
    ['controlled', 5n, 'controlled', 5n, 'switch'],
    ['controlled', 5n, 'controlled', 6n, 'refuse'],
    ['controlling', 5n, 'controlled', 9n, 'no-conflict'],
    ['controlled', 5n, 'controlling', 1n, 'no-conflict'],
    ['controlling', 2n ** 64n - 1n, 'controlling', 2n ** 63n, 'refuse'],
  ]
  it.each(table)('%s with %s meets %s with %s: %s', (role, ours, claimed, theirs, verdict) => {
    expect(resolveRole(role, ours, claimed, theirs)).toBe(verdict)
  })
})

describe.each(['controlling', 'controlled'] as const)('both agents start as %s', (role) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('they end with one of each and with selected pairs (seed %i)', (seed) => {
    const net = new IceHarness({ role }, { role }, { seed }).simple()
    expect(net.runUntil(() => net.isCompleted)).toBe(true)
    expect([net.a.agent.role, net.b.agent.role].sort()).toEqual(['controlled', 'controlling'])
    expect(net.elapsed).toBeLessThanOrEqual(205)
    for (const of of [net.a, net.b]) expect(net.events(of, 'selected-pair')).toHaveLength(1)
  })

  it('they sign 487 with the password of the side that answers', () => {
    const net = new IceHarness({ role }, { role }).simple()
    net.run(1000)
    const refusals = net.packets.filter((packet) => decode(packet).get('ERROR-CODE')?.code === 487)
    expect(refusals.length).toBeGreaterThan(0)
    for (const packet of refusals) {
      const { pwd } = (packet.from === 'a' ? net.a : net.b).agent.localDescription
      expect(checkIntegrity(decode(packet), { algorithm: 'sha1', key: shortTermKey(pwd) })).toBe(true)
    }
  })

  it('they find each other also when only one side sends checks that arrive', () => {
    const net = new IceHarness({ role }, { role }).simple()
    net.lose = (packet) => packet.from === 'b' && packet.purpose === 'check' && packet.at < 5000
    expect(net.runUntil(() => net.isCompleted, 20_000)).toBe(true)
    expect([net.a.agent.role, net.b.agent.role].sort()).toEqual(['controlled', 'controlling'])
  })
})

describe('a 487', () => {
  const asked = () => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    const [request] = solo.requests()
    solo.takeOutputs()
    return { solo, request: request! }
  }

  it('makes us switch, draw another tiebreaker, and check the pair again', () => {
    const { solo, request } = asked()
    solo.handle(errorTo(decoded(request).transactionId, 487))
    expect(solo.agent.role).toBe('controlled')
    solo.elapse(100)
    const again = decoded(solo.requests()[0]!)
    expect(again.get('ICE-CONTROLLED')).toBeTypeOf('bigint')
    expect(again.get('ICE-CONTROLLED')).not.toBe(decoded(request).get('ICE-CONTROLLING'))
    expect(again.transactionId).not.toEqual(decoded(request).transactionId)
  })

  it('that is about a role which we have left since does not make us switch back', () => {
    const { solo, request } = asked()
    // The peer claims our role with a larger tiebreaker, so we give it up.
    solo.check({ role: 'controlling', tiebreaker: 2n ** 64n - 1n })
    expect(solo.agent.role).toBe('controlled')
    solo.handle(errorTo(decoded(request).transactionId, 487))
    expect(solo.agent.role).toBe('controlled')
    expect(solo.agent.drops['stale-role-conflict']).toBe(1)
  })

  it('twice makes us switch once', () => {
    const { solo, request } = asked()
    solo.handle(errorTo(decoded(request).transactionId, 487))
    solo.handle(errorTo(decoded(request).transactionId, 487))
    expect(solo.events('role')).toHaveLength(1)
  })
})

it('a change of role orders the pairs anew', () => {
  const solo = SoloIce.ready()
  const before = solo.agent.pairs()[0]!.priority
  solo.check({ role: 'controlling', tiebreaker: 2n ** 64n - 1n })
  const after = solo.agent.pairs()[0]!.priority
  // Equal candidates: only the bit (G>D) can differ, and G and D are equal here.
  expect(after).toBe(before)
  solo.addRemote(solo.agent.pairs()[0]!.remote.address.withPort(3000), '2 1 udp 100 HOST PORT typ host')
  const pair = solo.agent.pairs().find(({ remote }) => remote.priority === 100)!
  expect(pair.priority).toBe((100n << 32n) + 2n * 2_130_706_431n)
})

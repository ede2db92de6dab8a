/** Both sides start with the same role (RFC 8445 §7.3.1.1, §7.2.5.1). */

import { describe, expect, it } from 'vitest'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import { decode, IceHarness } from '../support/ice-harness.ts'

describe.each(['controlling', 'controlled'] as const)('both agents start as %s', (role) => {
  it('end with one of each and with selected pairs', () => {
    const net = new IceHarness({ role }, { role }).simple()
    expect(net.runUntil(() => net.a.agent.state === 'completed' && net.b.agent.state === 'completed')).toBe(
      true,
    )
    expect([net.a.agent.role, net.b.agent.role].sort()).toEqual(['controlled', 'controlling'])
    expect(net.elapsed).toBeLessThanOrEqual(150)
  })

  it('sign 487 with the password of the side that answers', () => {
    const net = new IceHarness({ role }, { role }).simple()
    net.run(1000)
    const refusals = net.packets.filter((packet) => decode(packet).get('ERROR-CODE')?.code === 487)
    expect(refusals.length).toBeGreaterThan(0)
    for (const packet of refusals) {
      const { pwd } = (packet.from === 'a' ? net.a : net.b).agent.localDescription
      expect(checkIntegrity(decode(packet), { algorithm: 'sha1', key: shortTermKey(pwd) })).toBe(true)
    }
  })
})

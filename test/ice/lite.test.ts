/** Lite agents: one side, and both (RFC 8445 §2.5, §6.1.1, §7.3.2, §8.2). */

import { describe, expect, it } from 'vitest'
import { IceHarness, pathOf } from '../support/ice-harness.ts'
import { SoloIce } from '../support/ice-solo.ts'

describe('a full and a lite agent', () => {
  it('connect in two round trips, and the lite one sends no request', () => {
    const net = new IceHarness({}, { lite: true }).simple()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    expect(net.elapsed).toBeLessThanOrEqual(100)
    net.run(20_000)
    expect(new Set(net.packets.filter(({ from }) => from === 'b').map(({ purpose }) => purpose))).toEqual(
      new Set(['response']),
    )
    expect(pathOf(net.b)).toBe('198.51.100.1:5000 → 192.0.2.1:5000')
  })

  it.each([
    ['controlling', 'controlling'],
    ['controlled', 'controlling'],
    ['controlled', 'controlled'],
  ] as const)('the full one controls, also if they begin as %s and %s', (full, lite) => {
    const net = new IceHarness({ role: full }, { role: lite, lite: true }).simple()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    expect([net.a.agent.role, net.b.agent.role]).toEqual(['controlling', 'controlled'])
  })

  it('connect from behind a NAT', () => {
    const net = new IceHarness({}, { lite: true }, { natA: { mapping: 'APDM', filtering: 'APDF' } }).simple()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    net.sendData(net.b, 'hello')
    net.run(50)
    expect(net.a.received).toEqual(['hello'])
  })

  it('exchange data in both directions', () => {
    const net = new IceHarness({}, { lite: true }).connected()
    net.sendData(net.a, 'to lite')
    net.sendData(net.b, 'to full')
    net.run(50)
    expect([net.a.received, net.b.received]).toEqual([['to full'], ['to lite']])
  })
})

describe('a lite agent', () => {
  const lite = () => {
    const solo = new SoloIce({ lite: true, role: 'controlled' })
    solo.addHost()
    solo.describe()
    return solo
  }

  it('sends no data before a nomination', () => {
    const solo = lite()
    solo.check()
    expect(solo.agent.sendPath()).toBeUndefined()
    solo.check({ nominate: true })
    expect(solo.agent.sendPath()).toBeDefined()
    expect(solo.agent.state).toBe('completed')
  })

  it('is disconnected, then failed, when no checks come any more, and says so', () => {
    const solo = lite()
    solo.check({ nominate: true })
    solo.elapse(29_999)
    expect(solo.agent.state).toBe('disconnected')
    solo.elapse(1)
    expect(solo.agent.state).toBe('failed')
    expect(solo.agent.sendPath()).toBeUndefined()
  })

  it('takes up again with a peer that comes back', () => {
    const solo = lite()
    solo.check({ nominate: true })
    solo.elapse(40_000)
    solo.check({ nominate: true })
    expect(solo.agent.state).toBe('completed')
  })

  it('follows a peer whose address changes', () => {
    const solo = lite()
    solo.check({ nominate: true })
    const moved = solo.agent.sendPath()!.destination.withPort(9999)
    solo.elapse(5000)
    solo.check({ nominate: true }, moved)
    expect(solo.agent.sendPath()?.destination.port).toBe(9999)
  })

  it('says in its description what it is', () => {
    expect(lite().agent.localDescription.lite).toBe(true)
  })
})

describe('two lite agents', () => {
  it('select by what has been signalled, without a packet', () => {
    const net = new IceHarness({ lite: true }, { lite: true }).simple()
    net.endBoth()
    expect(net.isCompleted).toBe(true)
    expect(net.packets).toEqual([])
    expect([pathOf(net.a), pathOf(net.b)]).toEqual([
      '192.0.2.1:5000 → 198.51.100.1:5000',
      '198.51.100.1:5000 → 192.0.2.1:5000',
    ])
    net.sendData(net.a, 'hello')
    net.run(120_000)
    expect(net.b.received).toEqual(['hello'])
    expect(net.isCompleted).toBe(true)
  })

  it('with several addresses come to the same pair', () => {
    const net = new IceHarness({ lite: true }, { lite: true })
    for (const of of [net.a, net.b]) {
      for (let i = 1; i <= 3; i++) net.addHost(of, `${of === net.a ? '192.0.2' : '198.51.100'}.${i}:5000`)
    }
    net.signalBoth()
    net.endBoth()
    const [a, b] = [net.a, net.b].map((of) => of.agent.pairs().find(({ isNominated }) => isNominated))
    expect(a?.local.address).toEqual(b?.remote.address)
    expect(a?.remote.address).toEqual(b?.local.address)
  })
})

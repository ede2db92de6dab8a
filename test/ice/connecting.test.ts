/** Two agents with one host candidate each: RFC 8445 from the first check to selected pairs. */

import { describe, expect, it } from 'vitest'
import { IceHarness, pathOf } from '../support/ice-harness.ts'

function addBothFamilies(net: IceHarness): void {
  net.addHost(net.a, '[2001:db8::1]:5000')
  net.addHost(net.a, '192.0.2.1:5000')
  net.addHost(net.b, '[2001:db8::2]:5000')
  net.addHost(net.b, '198.51.100.1:5000')
}

describe('two full agents on one network', () => {
  it('have a valid pair after one round trip and selected pairs after two', () => {
    const net = new IceHarness().simple()
    net.runUntil(() => net.a.agent.sendPath() !== undefined)
    expect(net.elapsed).toBe(50)
    expect(net.a.agent.state).toBe('connected')
    net.runUntil(() => net.a.agent.state === 'completed')
    expect(net.elapsed).toBe(100)
    expect(net.b.agent.state).toBe('completed')
    expect(net.a.agent.sendPath()?.destination.toString()).toBe('198.51.100.1:5000')
    expect(net.b.agent.sendPath()?.destination.toString()).toBe('192.0.2.1:5000')
  })

  it.each([300, 600, 2000])(
    'connect where an answer takes longer than the RTO (%d ms one way)',
    (delayMs) => {
      const net = new IceHarness({}, {}, { delayMs }).simple()
      expect(net.runUntil(() => net.isCompleted, delayMs * 6)).toBe(true)
    },
  )

  it('tell of their states, paths and selected pairs in order', () => {
    const net = new IceHarness().simple()
    net.run(1000)
    const told = net.a.outputs
      .filter((output) => output.type !== 'transmit')
      .map((output) => (output.type === 'state' ? output.state : output.type))
    expect(told).toEqual(['local-candidate', 'checking', 'path', 'connected', 'selected-pair', 'completed'])
  })

  it.each([0, 1e-3, 2 ** 45])('begin whenever the clock does (%d)', (startMs) => {
    const net = new IceHarness({}, {}, { startMs }).simple()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    net.run(60_000)
    expect(net.states(net.a)).toEqual(['checking', 'connected', 'completed'])
  })

  it('connect over IPv6, which goes first where there are both', () => {
    const net = new IceHarness()
    addBothFamilies(net)
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    expect(pathOf(net.a)).toBe('[2001:db8::1]:5000 → [2001:db8::2]:5000')
    expect(net.elapsed).toBeLessThanOrEqual(105)
  })

  it('connect over IPv4 where IPv6 leads nowhere, without losing a round trip', () => {
    const net = new IceHarness()
    net.lose = ({ source }) => source.family === 'IPv6'
    addBothFamilies(net)
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    expect(pathOf(net.a)).toBe('192.0.2.1:5000 → 198.51.100.1:5000')
    expect(net.elapsed).toBeLessThanOrEqual(115)
  })

  it('connect every component of two', () => {
    const net = new IceHarness({ components: 2 }, { components: 2 })
    for (const of of [net.a, net.b]) {
      for (const component of [1, 2]) {
        net.addHost(of, `${of === net.a ? '192.0.2.1' : '198.51.100.1'}:${5000 + component}`, { component })
      }
    }
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    for (const component of [1, 2]) {
      expect(net.a.agent.sendPath(0, component)?.destination.port).toBe(5000 + component)
      expect(net.b.agent.sendPath(0, component)?.destination.port).toBe(5000 + component)
    }
  })

  it('send nothing but consent checks once they have completed', () => {
    const net = new IceHarness().simple()
    net.run(30_000)
    const late = net.packets.filter((packet) => packet.at > 200)
    expect(new Set(late.map((packet) => packet.purpose))).toEqual(new Set(['consent', 'response']))
  })

  it('carry data of any kind: what is no STUN is the application’s', () => {
    const net = new IceHarness().connected()
    for (const bytes of [[0], [1, 2, 3], [0, 1, 0, 0, 0x21, 0x12, 0xa4], Array(40).fill(0)]) {
      const source = net.a.sockets.values().next().value!
      expect(net.deliver(net.b, source, Uint8Array.from(bytes))).toBe('data')
    }
  })

  it('have no path and no timer once they are closed', () => {
    const net = new IceHarness().connected()
    net.a.agent.close()
    net.a.agent.close()
    net.drain(net.a)
    expect(net.a.agent.sendPath()).toBeUndefined()
    expect(net.a.agent.pollTimeout()).toBeUndefined()
    expect(net.states(net.a).at(-1)).toBe('closed')
    expect(net.deliver(net.a, net.b.sockets.values().next().value!, Uint8Array.of(9))).toBe('dropped')
  })
})

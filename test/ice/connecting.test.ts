/** Two agents with one host candidate each: RFC 8445 from the first check to selected pairs. */

import { describe, expect, it } from 'vitest'
import { IceHarness } from '../support/ice-harness.ts'

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

  it('tell of their states, paths and selected pairs in order', () => {
    const net = new IceHarness().simple()
    net.run(1000)
    const told = net.a.outputs
      .filter((output) => output.type !== 'transmit')
      .map((output) => (output.type === 'state' ? output.state : output.type))
    expect(told).toEqual(['local-candidate', 'checking', 'path', 'connected', 'selected-pair', 'completed'])
  })

  it('send nothing but consent checks once they have completed', () => {
    const net = new IceHarness().simple()
    net.run(30_000)
    const late = net.packets.filter((packet) => packet.at > 200)
    expect(new Set(late.map((packet) => packet.purpose))).toEqual(new Set(['consent', 'response']))
  })
})

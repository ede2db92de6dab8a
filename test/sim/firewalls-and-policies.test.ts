import { describe, expect, test } from 'vitest'
import type { Dependency } from '../../src/sim/filter.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { OutboundPolicy } from '../../src/sim/middlebox.ts'
import { ProbeSocket } from '../support/probe-socket.ts'
import { connect, listen } from '../support/probe-stream.ts'

describe('a stateful firewall leaves addresses alone', () => {
  test.each([
    ['endpoint-independent', true, ['same', 'other port', 'other host']],
    ['address-dependent', true, ['same', 'other port']],
    ['address-and-port-dependent', true, ['same']],
    ['address-and-port-dependent', false, []],
  ] as const)('%s filtering, something has been sent: %s', (filtering: Dependency, hasSent, texts) => {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const internet = new Internet({ seed: 1, families: ['IPv4', 'IPv6'] })
      const host = internet.firewall({ filtering }).host()
      const [x, y] = [internet.host(), internet.host()]
      const inner = new ProbeSocket(host, { address: host.address(5000, family) })
      const others = [
        new ProbeSocket(x, { address: x.address(1111, family) }),
        new ProbeSocket(x, { address: x.address(2222, family) }),
        new ProbeSocket(y, { address: y.address(1111, family) }),
      ]
      internet.run()
      if (hasSent) inner.send('hello', others[0]!.local!)
      internet.run()
      if (hasSent) expect(others[0]!.lastFrom).toBe(`${inner.local}`)
      for (const [i, text] of ['same', 'other port', 'other host'].entries())
        others[i]!.send(text, inner.local!)
      internet.run()
      expect(inner.texts).toEqual(texts)
    }
  })

  test('the hole closes after a while', () => {
    const internet = new Internet({ seed: 1 })
    const inner = new ProbeSocket(internet.firewall({ lifetimeMs: 30_000 }).host(), { port: 5000 })
    const outside = new ProbeSocket(internet.host(), { port: 1111 })
    internet.run()
    inner.send('hello', outside.local!)
    internet.at(29_000, () => outside.send('early', inner.local!))
    internet.at(31_000, () => outside.send('late', inner.local!))
    internet.run()
    expect(inner.texts).toEqual(['early'])
  })

  test('a TCP connection from outside times out, or is reset where that is the policy', () => {
    const outcome = (unsolicited: 'dropped' | 'rejected') => {
      const internet = new Internet({ seed: 1 })
      const host = internet.firewall({ unsolicited }).host()
      listen(host, 80)
      const { recorder } = connect(internet.host(), host.address(80), { timeoutMs: 2000 })
      internet.run()
      return recorder.lines
    }
    expect(outcome('dropped')).toEqual(['2000 failed ETIMEDOUT'])
    expect(outcome('rejected')).toEqual(['40 failed ECONNREFUSED'])
  })
})

describe('what a network lets out', () => {
  function trial(outbound: OutboundPolicy) {
    const internet = new Internet({ seed: 1 })
    const server = internet.host()
    const udp = new ProbeSocket(server, { port: 3478 })
    for (const port of [80, 443]) listen(server, port)
    const host = internet.nat({ outbound }).host({ reportsIcmp: true })
    const socket = new ProbeSocket(host, { port: 5000 })
    internet.run()
    socket.send('hello', udp.local!)
    const streams = [80, 443].map((port) => connect(host, server.address(port), { timeoutMs: 2000 }))
    internet.run({ for: 5000 })
    return {
      udp: udp.texts.length > 0 ? 'arrives' : (socket.failures[0] ?? 'lost'),
      tcp80: streams[0]!.recorder.lines[0],
      tcp443: streams[1]!.recorder.lines[0],
    }
  }

  test.each([
    ['open', { udp: 'arrives', tcp80: '40 opened', tcp443: '40 opened' }],
    ['udp-dropped', { udp: 'lost', tcp80: '40 opened', tcp443: '40 opened' }],
    ['udp-rejected', { udp: 'EHOSTUNREACH', tcp80: '40 opened', tcp443: '40 opened' }],
    ['tcp-443-only', { udp: 'lost', tcp80: '0 failed ECONNREFUSED', tcp443: '40 opened' }],
  ] as const)('%s', (policy, outcome) => {
    expect(trial(policy)).toEqual(outcome)
  })

  test('a function decides for each packet', () => {
    const outcome = trial(({ destination }) => (destination.port === 80 ? 'filtered' : 'forwarded'))
    expect(outcome).toEqual({ udp: 'arrives', tcp80: '2000 failed ETIMEDOUT', tcp443: '40 opened' })
  })

  test('a refused UDP packet is told to sockets of hosts that report ICMP, and to no others', () => {
    const failures = (reportsIcmp: boolean) => {
      const internet = new Internet({ seed: 1 })
      const socket = new ProbeSocket(internet.nat().host({ reportsIcmp }), { port: 5000 })
      const server = internet.host()
      internet.run()
      socket.send('to a port where nobody listens', server.address(9))
      internet.run()
      return socket.failures
    }
    expect(failures(true)).toEqual(['ECONNREFUSED'])
    expect(failures(false)).toEqual([])
  })
})

/** RFC 4787 §4.2: which external port a mapping gets. */

import { describe, expect, test } from 'vitest'
import { behindNat, portOf } from '../support/probe-nat.ts'

test('ports are preserved while they are free, and others given when not', () => {
  const { nat, open, mapped, external } = behindNat({ ports: 'preserved' })
  const other = nat.host()
  expect(mapped(open(5000))).toBe(`${external(5000)}`)
  const second = portOf(mapped(open(5000, other)))
  expect(second).not.toBe(5000)
  expect(mapped(open(6000, other))).toBe(`${external(6000)}`)
})

test('ports outside the range are not preserved', () => {
  const { open, mapped } = behindNat({ ports: 'preserved', portRange: [40_000, 40_009] })
  const port = portOf(mapped(open(5000)))
  expect(port).toBeGreaterThanOrEqual(40_000)
  expect(port).toBeLessThanOrEqual(40_009)
})

test('sequential ports go up by one', () => {
  const { open, mapped } = behindNat({ ports: 'sequential' })
  const ports = [5000, 7000, 6000].map((port) => portOf(mapped(open(port))))
  expect(ports).toEqual([ports[0]!, ports[0]! + 1, ports[0]! + 2])
})

test('sequential ports go up with every destination where the mapping depends on it', () => {
  const { internet, open, mapped, outside } = behindNat({
    ports: 'sequential',
    mapping: 'address-and-port-dependent',
  })
  const inner = open(5000)
  const first = portOf(mapped(inner))
  const second = open(2222, outside.host)
  expect(portOf(mapped(inner, second))).toBe(first + 1)
  internet.run()
})

test('random ports are spread', () => {
  const { open, mapped } = behindNat({ ports: 'random' })
  const ports = [5000, 5001, 5002, 5003].map((port) => portOf(mapped(open(port))))
  const steps = ports.slice(1).map((port, i) => Math.abs(port - ports[i]!))
  expect(Math.min(...steps)).toBeGreaterThan(10)
})

test.each(['sequential', 'random'] as const)('%s ports keep their parity when told to', (ports) => {
  const { open, mapped } = behindNat({ ports, parity: true })
  for (const port of [5000, 5001, 5003, 5004, 5006, 5007]) {
    expect(portOf(mapped(open(port))) & 1).toBe(port & 1)
  }
})

test('no port is left: packets go nowhere', () => {
  const { open, mapped } = behindNat({ ports: 'random', portRange: [40_000, 40_001] })
  const seen = [5000, 5001, 5002].map((port) => mapped(open(port)))
  expect(seen.map((address) => address === 'nowhere')).toEqual([false, false, true])
})

describe('overloaded ports', () => {
  test('two inner hosts share one external port, and each gets its own answers', () => {
    const { internet, nat, host, outside, open, mapped, external } = behindNat({ ports: 'overloaded' })
    const [x, y] = [open(5000, host), open(5000, nat.host())]
    const elsewhere = open(1111, internet.host())
    expect(mapped(x)).toBe(`${external(5000)}`)
    expect(mapped(y, elsewhere)).toBe(`${external(5000)}`)
    outside.send('for x', external(5000))
    elsewhere.send('for y', external(5000))
    internet.run()
    expect([x.texts, y.texts]).toEqual([['for x'], ['for y']])
  })
})

test('UDP and TCP have ports of their own', () => {
  const { internet, host, open, mapped, external } = behindNat({ ports: 'preserved' })
  mapped(open(5000))
  const server = internet.host()
  let seen = ''
  server.listenTcp(
    { address: server.address(80) },
    {
      bound: () => {},
      failed: () => {},
      acceptFailed: () => {},
      handshakeFailed: () => {},
      connection: (_stream, remote) => {
        seen = `${remote}`
        return { opened() {}, failed() {}, data() {}, drained() {}, ended() {}, closed() {} }
      },
    },
  )
  internet.run({ for: 0 })
  host.connectTcp(
    { remote: server.address(80), local: host.address(5000), timeoutMs: 1000 },
    { opened() {}, failed() {}, data() {}, drained() {}, ended() {}, closed() {} },
  )
  internet.run({ for: 1000 })
  expect(seen).toBe(`${external(5000)}`)
})

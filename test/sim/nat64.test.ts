import { describe, expect, test } from 'vitest'
import type { DnsAnswer } from '../../src/core/host.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

function topology() {
  const internet = new Internet({ seed: 1, families: ['IPv4', 'IPv6'] })
  const nat = internet.nat64()
  const host = nat.host()
  const server = internet.host({ families: ['IPv4'] })
  internet.name('server.example', server)
  return { internet, nat, host, server }
}

function resolve(internet: Internet, host: SimHost, name: string, type: 'A' | 'AAAA'): string[] | string {
  let answer: DnsAnswer | undefined
  host.resolve({ name, type }, (given) => {
    answer = given
  })
  internet.run()
  if (answer?.type === 'addresses') return answer.addresses.map(({ ip }) => ip)
  return answer?.type === 'failed' ? answer.reason : 'no answer'
}

test('hosts have IPv6 addresses only', () => {
  const { host } = topology()
  const families = host.interfaces().flatMap(({ internal, address }) => (internal ? [] : [address.family]))
  expect(families).toEqual(['IPv6'])
})

test('the DNS makes IPv6 addresses of IPv4 ones, and tells the prefix by ipv4only.arpa', () => {
  const { internet, host, server } = topology()
  const [made] = resolve(internet, host, 'server.example', 'AAAA')
  expect(made).toBe('64:ff9b::1400:3')
  expect(server.address().ip).toBe('20.0.0.3')
  expect(resolve(internet, host, 'ipv4only.arpa', 'AAAA')).toEqual(['64:ff9b::c000:aa', '64:ff9b::c000:ab'])
  expect(resolve(internet, server, 'server.example', 'AAAA')).toBe('ENODATA')
})

test('a packet to such an address reaches the IPv4 host, and its answer comes back', () => {
  const { internet, nat, host, server } = topology()
  const inner = new ProbeSocket(host, { port: 5000 })
  const outside = new ProbeSocket(server, { port: 3478 })
  internet.run()
  inner.send('hello', '[64:ff9b::1400:3]:3478')
  internet.run()
  expect(outside.lastFrom).toBe(`${nat.addresses[0]!.withPort(5000)}`)
  outside.send('answer', outside.lastFrom)
  internet.run()
  expect(inner.arrived).toMatchObject([{ text: 'answer', from: '[64:ff9b::1400:3]:3478' }])
})

test('its filter is that of any NAT', () => {
  const { internet, nat, host, server } = topology()
  const inner = new ProbeSocket(host, { port: 5000 })
  const [known, stranger] = [3478, 3479].map((port) => new ProbeSocket(server, { port }))
  internet.run()
  inner.send('hello', '[64:ff9b::1400:3]:3478')
  internet.run()
  stranger!.send('hello', nat.addresses[0]!.withPort(5000))
  known!.send('answer', nat.addresses[0]!.withPort(5000))
  internet.run()
  expect(inner.texts).toEqual(['answer'])
})

test('IPv6 goes out as it is, through a stateful firewall', () => {
  const { internet, host } = topology()
  const six = internet.host({ families: ['IPv6'] })
  const inner = new ProbeSocket(host, { port: 5000 })
  const outside = new ProbeSocket(six, { port: 1111 })
  internet.run()
  outside.send('unasked', inner.local!)
  internet.run()
  inner.send('hello', outside.local!)
  internet.run()
  outside.send('answer', outside.lastFrom)
  internet.run()
  expect(outside.lastFrom).toBe(`${inner.local}`)
  expect(inner.texts).toEqual(['answer'])
})

describe('a home with both families', () => {
  test('translates IPv4 and filters IPv6', () => {
    const internet = new Internet({ seed: 1, families: ['IPv4', 'IPv6'] })
    const nat = internet.nat({ IPv6: 'filtered' })
    const host = nat.host()
    const outside = internet.host()
    const sockets = (['IPv4', 'IPv6'] as const).map((family) => ({
      inner: new ProbeSocket(host, { address: host.address(5000, family) }),
      outer: new ProbeSocket(outside, { address: outside.address(1111, family) }),
    }))
    internet.run()
    for (const { inner, outer } of sockets) inner.send('hello', outer.local!)
    internet.run()
    expect(sockets.map(({ outer }) => outer.lastFrom)).toEqual([
      `${nat.addresses[0]!.withPort(5000)}`,
      `${host.address(5000, 'IPv6')}`,
    ])
    const stranger = new ProbeSocket(outside, { address: outside.address(2222, 'IPv6') })
    internet.run()
    stranger.send('unasked', host.address(5000, 'IPv6'))
    internet.run()
    expect(sockets[1]!.inner.texts).toEqual([])
  })
})

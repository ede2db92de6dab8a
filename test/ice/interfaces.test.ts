/** Which interfaces are used, and in which order (RFC 8445 §5.1.1.1, RFC 8421). */

import { describe, expect, it } from 'vitest'
import type { InterfaceAddress } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { candidatePriority } from '../../src/ice/candidate.ts'
import { chooseInterfaces, type InterfaceRules, intermingle } from '../../src/ice/interfaces.ts'

function on(name: string, ip: string, prefixLength = ip.includes(':') ? 64 : 24): InterfaceAddress {
  return { name, address: TransportAddress.of(ip, 0), internal: name === 'lo', prefixLength }
}

function chosen(interfaces: readonly InterfaceAddress[], rules: InterfaceRules = {}): string[] {
  return chooseInterfaces(interfaces, rules).chosen.map(({ address }) => address.ip)
}

describe('an address is left out, with the reason', () => {
  const table: [string, InterfaceAddress, string][] = [
    ['loopback', on('lo', '127.0.0.1', 8), 'loopback'],
    ['loopback, IPv6', on('lo', '::1', 128), 'loopback'],
    ['IPv4 link-local', on('eth0', '169.254.3.4', 16), 'link-local'],
    ['IPv6 link-local', on('eth0', 'fe80::1'), 'link-local'],
    ['site-local', on('eth0', 'fec0::1'), 'unusable-address'],
    ['IPv4-compatible', on('eth0', '::192.0.2.1', 96), 'unusable-address'],
    ['unspecified', on('eth0', '0.0.0.0'), 'unusable-address'],
    ['docker’s bridge', on('docker0', '172.17.0.1', 16), 'denied'],
    ['a compose network', on('br-0a1b2c3d', '172.18.0.1', 16), 'denied'],
    ['a container’s end', on('veth12ab', '169.254.1.1', 16), 'denied'],
    ['libvirt’s bridge', on('virbr0', '192.168.122.1'), 'denied'],
  ]
  it.each(table)('%s', (_name, candidate, reason) => {
    const { chosen: taken, excluded } = chooseInterfaces([candidate])
    expect(taken).toEqual([])
    expect(excluded).toEqual([{ interface: candidate, reason }])
  })

  it('a second address of the same IPv6 network: the one made of the hardware address goes', () => {
    const hardware = on('eth0', '2001:db8::21e:67ff:fe01:203')
    const temporary = on('eth0', '2001:db8::1c3:44aa:9:7')
    const { chosen: taken, excluded } = chooseInterfaces([hardware, temporary])
    expect(taken.map(({ address }) => address.ip)).toEqual([temporary.address.ip])
    expect(excluded).toEqual([{ interface: hardware, reason: 'same-network' }])
  })

  it('and of others the one that the system itself sends from stays: a temporary one, if it has any', () => {
    const [stable, temporary] = [on('eth0', '2001:db8::1c3:44aa:9:7'), on('eth0', '2001:db8::77:8:9:a')]
    expect(chosen([stable, temporary], { preferred: [temporary.address] })).toEqual([temporary.address.ip])
    const hardware = on('eth0', '2001:db8::21e:67ff:fe01:203')
    expect(chosen([hardware, stable], { preferred: [hardware.address] })).toEqual([stable.address.ip])
  })

  it('IPv6 networks beyond the fifth', () => {
    const many = Array.from({ length: 8 }, (_, i) => on(`eth${i}`, `2001:db8:${i}::1`))
    expect(chosen(many)).toHaveLength(5)
    expect(chosen(many, { maxIPv6Networks: 2 })).toHaveLength(2)
  })
})

describe('rules', () => {
  const machine = [
    on('lo', '127.0.0.1', 8),
    on('eth0', '192.0.2.1'),
    on('docker0', '172.17.0.1', 16),
    on('tun0', '10.8.0.2'),
  ]

  it('let loopback in', () => {
    expect(chosen(machine, { loopback: true })).toContain('127.0.0.1')
  })

  it('take the names that are allowed and no others', () => {
    expect(chosen(machine, { allow: ['docker*'] })).toEqual(['172.17.0.1'])
  })

  it('deny other names instead of the usual ones', () => {
    expect(chosen(machine, { deny: ['eth0'] })).toEqual(['172.17.0.1', '10.8.0.2'])
  })

  it('put tunnels last and give them a cost; use or leave them out when told', () => {
    const withTunnelFirst = [machine[3]!, machine[1]!]
    expect(chosen(withTunnelFirst)).toEqual(['192.0.2.1', '10.8.0.2'])
    expect(chosen(withTunnelFirst, { tunnels: 'use' })).toEqual(['10.8.0.2', '192.0.2.1'])
    expect(chosen(withTunnelFirst, { tunnels: 'never' })).toEqual(['192.0.2.1'])
    expect(chooseInterfaces(withTunnelFirst).chosen.map(({ networkCost }) => networkCost)).toEqual([0, 10])
  })

  it('put the address first that the system sends from', () => {
    const two = [on('eth0', '192.0.2.1'), on('eth1', '198.51.100.1')]
    expect(chosen(two, { preferred: [two[1]!.address] })).toEqual(['198.51.100.1', '192.0.2.1'])
  })
})

describe('the order of families', () => {
  const v4 = (n: number) => Array.from({ length: n }, (_, i) => on('eth0', `192.0.2.${i + 1}`))
  const v6 = (n: number) => Array.from({ length: n }, (_, i) => on('eth0', `2001:db8:${i + 1}::1`))
  const families = (interfaces: readonly InterfaceAddress[]) =>
    intermingle(interfaces)
      .map(({ address }) => (address.family === 'IPv4' ? '4' : '6'))
      .join('')

  it.each([
    [1, 1, '64'],
    [3, 3, '664644'],
    [2, 0, '44'],
    [0, 3, '666'],
    [4, 1, '64444'],
  ])('%i IPv4 and %i IPv6 addresses: %s', (n4, n6, order) => {
    expect(families([...v4(n4), ...v6(n6)])).toBe(order)
  })

  it('inserts an IPv4 address after four IPv6 ones in the example of RFC 8421 §4', () => {
    expect(families([...v4(2), ...v6(6)])).toBe('66664664')
  })

  it('is that of the priorities, which are unique', () => {
    const { chosen: taken } = chooseInterfaces([...v4(2), ...v6(3)])
    for (const protocol of ['udp', 'tcp'] as const) {
      const priorities = taken.map(({ localPreference }) =>
        candidatePriority({ type: 'host', protocol, tcpType: 'active', localPreference, component: 1 }),
      )
      expect(priorities).toEqual([...new Set(priorities)].sort((x, y) => y - x))
    }
  })
})

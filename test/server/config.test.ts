import { describe, expect, it } from 'vitest'
import type { InterfaceAddress } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import {
  checkConfig,
  concreteAddresses,
  defaultConfig,
  relayAddresses,
  type ServeConfig,
} from '../../src/server/config.ts'

function interfaceAddress(ip: string, internal = false): InterfaceAddress {
  return { name: internal ? 'lo' : 'eth0', address: TransportAddress.of(ip, 0), internal, prefixLength: 24 }
}

const loopback = [interfaceAddress('127.0.0.1', true), interfaceAddress('::1', true)]
const dualStack = [
  ...loopback,
  interfaceAddress('192.0.2.10'),
  interfaceAddress('fe80::1'),
  interfaceAddress('2001:db8::10'),
]
const users = [{ name: 'alice', password: 'wonder' }]

function config(changes: Partial<ServeConfig>): ServeConfig {
  return { ...defaultConfig, users, ...changes }
}

function listen(...addresses: string[]): Partial<ServeConfig> {
  return {
    listen: addresses.map((text) => ({
      transport: 'udp',
      address: TransportAddress.parse(text),
      isOptional: false,
    })),
  }
}

function relays(changes: Partial<ServeConfig>, interfaces = dualStack): string[] {
  return relayAddresses(config(changes), interfaces).map(({ address, external }) =>
    address.equals(external) ? address.ip : `${external.ip}/${address.ip}`,
  )
}

const external = (text: string) => {
  const [outside, inside] = text.split('/')
  return {
    external: TransportAddress.of(outside!, 0),
    relay: inside === undefined ? undefined : TransportAddress.of(inside, 0),
  }
}

describe('a configuration', () => {
  it('without users is refused, unless that is what the operator wants', () => {
    expect(() => checkConfig(config({ users: [] }))).toThrow(
      expect.objectContaining({ code: 'no-credentials' }),
    )
    expect(() => checkConfig(config({ users: [], noAuth: true }))).not.toThrow()
    expect(() => checkConfig(config({}))).not.toThrow()
  })

  it('with users and without authentication at once is refused', () => {
    expect(() => checkConfig(config({ noAuth: true }))).toThrow(
      expect.objectContaining({ code: 'configuration-invalid' }),
    )
  })
})

describe('the addresses of a listener', () => {
  it.each([
    ['192.0.2.1:3478', ['192.0.2.1:3478']],
    ['0.0.0.0:3478', ['127.0.0.1:3478', '192.0.2.10:3478']],
    ['[::]:3479', ['[::1]:3479', '[fe80::1]:3479', '[2001:db8::10]:3479']],
  ])('%s are %j', (text, expected) => {
    expect(concreteAddresses(TransportAddress.parse(text), dualStack).map(String)).toEqual(expected)
  })
})

describe('the relay addresses', () => {
  const defaults: [string, Partial<ServeConfig>, InterfaceAddress[], string[]][] = [
    ['of wildcards: one of each family that leads out', {}, dualStack, ['192.0.2.10', '2001:db8::10']],
    [
      'of wildcards on a host of IPv4: IPv4 alone',
      {},
      [...loopback, interfaceAddress('192.0.2.10')],
      ['192.0.2.10'],
    ],
    [
      'of wildcards on a host of IPv6: IPv6 alone',
      {},
      [...loopback, interfaceAddress('2001:db8::10')],
      ['2001:db8::10'],
    ],
    ['of wildcards on a host without a network: loopback', {}, loopback, ['127.0.0.1', '::1']],
    [
      'of wildcards: never link-local',
      {},
      [interfaceAddress('169.254.1.1'), interfaceAddress('192.0.2.11')],
      ['192.0.2.11'],
    ],
    ['of one address: the same', listen('192.0.2.10:3478'), dualStack, ['192.0.2.10']],
    [
      'of one address, with two ports: one',
      listen('192.0.2.10:3478', '192.0.2.10:3479'),
      dualStack,
      ['192.0.2.10'],
    ],
    ['of loopback: the same', listen('127.0.0.1:3478'), dualStack, ['127.0.0.1']],
  ]
  it.each(defaults)('%s', (_name, changes, interfaces, expected) => {
    expect(relays(changes, interfaces)).toEqual(expected)
  })

  it('are those that are named', () => {
    expect(
      relays({ relayAddresses: ['192.0.2.77', '2001:db8::77'].map((ip) => TransportAddress.of(ip, 0)) }),
    ).toEqual(['192.0.2.77', '2001:db8::77'])
  })

  it('are an error where there is none', () => {
    expect(() => relays({}, [])).toThrow(expect.objectContaining({ code: 'relay-address-unavailable' }))
  })

  it.each([
    ['198.51.100.1', ['198.51.100.1/192.0.2.10', '2001:db8::10']],
    ['198.51.100.1/192.0.2.10', ['198.51.100.1/192.0.2.10', '2001:db8::10']],
    ['2001:db8:1::1', ['192.0.2.10', '2001:db8:1::1/2001:db8::10']],
  ])('are told as %s to clients', (text, expected) => {
    expect(relays({ externalAddresses: [external(text)] })).toEqual(expected)
  })

  const refusals: [string, Partial<ServeConfig>, string][] = [
    [
      'of no relay address',
      { externalAddresses: [external('198.51.100.1/192.0.2.99')] },
      '192.0.2.99 is not a relay address',
    ],
    [
      'of a family that there is not',
      { ...listen('192.0.2.10:1'), externalAddresses: [external('2001:db8::1')] },
      'no relay address is IPv6',
    ],
    [
      'of one of two',
      {
        relayAddresses: [TransportAddress.of('192.0.2.1', 0), TransportAddress.of('192.0.2.2', 0)],
        externalAddresses: [external('198.51.100.1')],
      },
      'more than one relay address is IPv4: write PUBLIC/PRIVATE',
    ],
  ]
  it.each(refusals)('have no external address %s: that is refused, and said why', (_name, changes, why) => {
    expect(() => relays(changes)).toThrow(
      expect.objectContaining({ code: 'configuration-invalid', message: expect.stringContaining(why) }),
    )
  })
})

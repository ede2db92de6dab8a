import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { type AlternateFlags, addAlternateFlags, alternateConfigOf } from '../../src/cli/alternate-flags.ts'
import { type AlternateConfig, defaultAlternateConfig } from '../../src/server/alternate-config.ts'
import { checkConfig, defaultConfig } from '../../src/server/config.ts'

function read(...args: string[]): AlternateConfig {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  addAlternateFlags(command)
  command.parse(args, { from: 'user' })
  return alternateConfigOf(command.opts<AlternateFlags>())
}

describe('the flags of behavior discovery', () => {
  it('are nothing unless they are given', () => {
    expect(read()).toEqual(defaultAlternateConfig)
  })

  it('take an address of each family, a port, and what is outside of what', () => {
    const config = read(
      ...['--alternate-address', '10.0.0.2', '--alternate-address', '2001:db8::2'],
      ...[
        '--alternate-port',
        '4000',
        '--advertise',
        '10.0.0.2=192.0.2.2',
        '--advertise',
        '10.0.0.1=192.0.2.1',
      ],
    )
    expect(config.alternateAddresses.map(({ ip }) => ip)).toEqual(['10.0.0.2', '2001:db8::2'])
    expect(config.alternatePort).toBe(4000)
    expect(config.advertised.map(({ inside, outside }) => `${inside.ip} ${outside.ip}`)).toEqual([
      '10.0.0.2 192.0.2.2',
      '10.0.0.1 192.0.2.1',
    ])
  })

  it.each([
    ['192.0.2.2:3478', '192.0.2.2', 3478],
    ['[2001:db8::2]:3478', '2001:db8::2', 3478],
    ['stun2.example.org:4000', 'stun2.example.org', 4000],
  ])('take a partner as %s', (text, host, port) => {
    const config = read('--partner', text, '--partner-key', 'key')
    expect(config).toMatchObject({ partners: [{ host, port }], partnerKeyFile: 'key' })
  })

  it.each([
    ['--partner', '192.0.2.2', /is not a host with a port, such as 192\.0\.2\.2:3478/],
    ['--partner', '192.0.2.2:0', /is not a host with a port/],
    ['--partner', '2001:db8::2:3478', /is not a host with a port/],
    ['--partner', 'udp://192.0.2.2:3478', /is not a host with a port/],
    ['--alternate-address', '0.0.0.0', /is a wildcard/],
    ['--alternate-address', '10.0.0.2:3478', /did you mean 10\.0\.0\.2/],
    ['--alternate-address', 'turn.example.org', /is not an IP address/],
    ['--alternate-port', '0', /from 1 to 65535/],
    ['--alternate-port', '70000', /from 1 to 65535/],
    ['--advertise', '10.0.0.2', /is not PRIVATE=PUBLIC/],
    ['--advertise', '10.0.0.2=192.0.2.2=192.0.2.3', /is not PRIVATE=PUBLIC/],
    ['--advertise', '10.0.0.2=2001:db8::2', /joins an IPv4 with an IPv6 address/],
    ['--advertise', '10.0.0.2=somewhere', /is not an IP address/],
  ])('%s %s is refused, and the reason said', (flag, value, reason) => {
    expect(() => read(flag, value)).toThrow(reason)
  })
})

describe('--mobility', () => {
  it('is refused with --no-auth: nobody could tell an owner from a thief', () => {
    const config = { ...defaultConfig, mobility: true }
    expect(() => checkConfig({ ...config, noAuth: true })).toThrow(/--mobility needs users/)
    expect(() => checkConfig({ ...config, users: [{ name: 'user', password: 'pass' }] })).not.toThrow()
  })
})

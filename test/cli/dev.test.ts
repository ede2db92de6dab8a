import { describe, expect, it } from 'vitest'
import { devConfig, devScreen } from '../../src/cli/dev.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { seededRandom } from '../support/random.ts'

const user = { name: 'dev', password: 'secret' }
const udp = (text: string) => ({ transport: 'udp' as const, address: TransportAddress.parse(text) })
const relay = (ip: string) => {
  const address = TransportAddress.of(ip, 0)
  return { address, external: address }
}

describe('The screen of --dev', () => {
  const screen = (listeners: ReturnType<typeof udp>[], ...relays: string[]) =>
    devScreen({ listeners, relays: relays.map(relay) }, user, undefined)

  it('says that a server on loopback is for this machine only', () => {
    for (const address of ['127.0.0.1:3478', '[::1]:3478']) {
      expect(screen([udp(address)])).toContain(`listening on udp://${address}, for this machine only.`)
    }
  })

  it.each([
    ['every address', [udp('0.0.0.0:3478')]],
    ['an address of a network', [udp('192.0.2.1:3478')]],
    ['loopback and an address of a network', [udp('127.0.0.1:3478'), udp('192.0.2.1:3478')]],
  ])('says of a server at %s that others reach it, and what that means', (_name, listeners) => {
    const text = screen(listeners, '192.0.2.1')
    expect(text).not.toContain('for this machine only')
    expect(text).toContain('for other machines too')
    expect(text).toContain('127.0.0.1 here')
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('names, for a wildcard, an address that clients can use', () => {
    const text = screen([udp('0.0.0.0:3478')], '2001:db8::1', '192.0.2.1')
    expect(text).toContain('"urls": ["stun:192.0.2.1:3478", "turn:192.0.2.1:3478"]')
    expect(text).toContain('turnutils_stunclient -p 3478 192.0.2.1')
    expect(screen([udp('[::]:3478')], '2001:db8::1')).toContain('"stun:[2001:db8::1]:3478"')
  })
})

describe('The configuration of --dev', () => {
  it('is on loopback unless told otherwise', () => {
    const random = seededRandom(1)
    expect(devConfig(defaultConfig, user, random).listen.map(({ address }) => `${address}`)).toEqual([
      '127.0.0.1:3478',
      '127.0.0.1:3478',
    ])
    const listen = [{ ...udp('0.0.0.0:3478'), isOptional: false }]
    expect(devConfig({ ...defaultConfig, listen }, user, random).listen).toBe(listen)
  })
})

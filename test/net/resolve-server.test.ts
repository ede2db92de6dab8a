import { describe, expect, it } from 'vitest'
import { type ResolveServerOptions, resolveServer } from '../../src/net/resolve-server.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { DnsRecords } from '../../src/sim/zones.ts'
import { parseServerUri } from '../../src/stun/uri.ts'

const all = ['udp', 'tcp', 'tls'] as const

interface Resolved {
  /** `udp 192.0.2.1:3478`, or the reason of the failure. */
  readonly servers: readonly string[]
  readonly names: readonly (string | undefined)[]
  readonly elapsedMs: number
}

function resolve(
  uri: string,
  zones: Readonly<Record<string, DnsRecords>>,
  options: ResolveServerOptions = {},
  families: readonly ('IPv4' | 'IPv6')[] = ['IPv4', 'IPv6'],
): Resolved {
  const internet = new Internet({ seed: 1, families })
  for (const [name, records] of Object.entries(zones)) internet.name(name, records)
  const host = internet.host()
  let resolved: Resolved | undefined
  const start = internet.now
  resolveServer(host, parseServerUri(uri), options, (result) => {
    if (resolved !== undefined) throw new Error('called back twice')
    const isThere = result.type === 'resolved'
    resolved = {
      servers: isThere
        ? result.servers.map(({ transport, address }) => `${transport} ${address}`)
        : [result.reason],
      names: isThere ? result.servers.map(({ name }) => name) : [],
      elapsedMs: internet.now - start,
    }
  })
  expect(resolved).toBeUndefined()
  // To the end, so that a second call and a timer left behind would show.
  expect(internet.run({ for: 60_000 })).toBe(true)
  return resolved!
}

const srv = (name: string, port: number, priority = 0, weight = 0) => ({ name, port, priority, weight })
const naptr = (order: number, flags: string, service: string, replacement: string) => ({
  order,
  preference: 10,
  flags,
  service,
  regexp: '',
  replacement,
})

describe('an address in the URI', () => {
  it.each([
    ['stun:192.0.2.1', undefined, ['udp 192.0.2.1:3478']],
    ['stun:192.0.2.1:99', ['tcp'], ['tcp 192.0.2.1:99']],
    ['turn:192.0.2.1', undefined, ['udp 192.0.2.1:3478', 'tcp 192.0.2.1:3478']],
    ['turn:[2001:db8::1]?transport=tcp', undefined, ['tcp [2001:db8::1]:3478']],
    ['turns:192.0.2.1', undefined, ['tls 192.0.2.1:5349']],
    ['turns:192.0.2.1:443?transport=tcp', undefined, ['tls 192.0.2.1:443']],
    ['turn:192.0.2.1', ['tcp', 'udp'], ['tcp 192.0.2.1:3478', 'udp 192.0.2.1:3478']],
    ['turns:192.0.2.1', ['udp', 'tcp'], ['no-transport']],
    ['turn:192.0.2.1?transport=tcp', ['udp'], ['no-transport']],
  ] as const)('%s with %j is asked of nobody', (uri, transports, servers) => {
    expect(resolve(uri, {}, { transports }).servers).toEqual(servers)
  })
})

describe('a name in the URI', () => {
  it('with a port is looked up as A and AAAA, and reached over each transport', () => {
    const zones = { 'turn.example': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'] } }
    const { servers, names } = resolve('turn:turn.example:99', zones)
    expect(servers).toEqual([
      'udp [2001:db8::1]:99',
      'udp 192.0.2.1:99',
      'udp 192.0.2.2:99',
      'tcp [2001:db8::1]:99',
      'tcp 192.0.2.1:99',
      'tcp 192.0.2.2:99',
    ])
    expect(new Set(names)).toEqual(new Set(['turn.example']))
  })

  it('is reached over IPv6 last from a host that has none', () => {
    const zones = { 'turn.example': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] } }
    const { servers } = resolve('turn:turn.example:99?transport=udp', zones, {}, ['IPv4'])
    expect(servers).toEqual(['udp 192.0.2.1:99', 'udp [2001:db8::1]:99'])
  })

  it('without records is not found', () => {
    expect(resolve('turn:nowhere.example', {}).servers).toEqual(['ENOTFOUND'])
    expect(resolve('stun:broken.example', { 'broken.example': { fails: 'ESERVFAIL' } }).servers).toEqual([
      'ESERVFAIL',
    ])
  })

  it('without SRV records is looked up at the default ports', () => {
    const zones = { 'turn.example': { A: ['192.0.2.1'] } }
    expect(resolve('turn:turn.example', zones).servers).toEqual(['udp 192.0.2.1:3478', 'tcp 192.0.2.1:3478'])
    expect(resolve('turns:turn.example', zones).servers).toEqual(['tls 192.0.2.1:5349'])
    expect(resolve('stuns:turn.example', zones).servers).toEqual(['tls 192.0.2.1:5349'])
    expect(resolve('stun:turn.example', zones).servers).toEqual(['udp 192.0.2.1:3478'])
  })

  it('with SRV records is reached where they lead, by priority', () => {
    const zones = {
      'example.org': { A: ['192.0.2.9'] },
      '_turn._udp.example.org': { SRV: [srv('b.example', 2, 20), srv('a.example', 1, 10)] },
      '_turn._tcp.example.org': { SRV: [srv('a.example', 3)] },
      'a.example': { A: ['192.0.2.1'] },
      'b.example': { A: ['192.0.2.2'] },
    }
    const { servers, names } = resolve('turn:example.org', zones)
    expect(servers).toEqual(['udp 192.0.2.1:1', 'udp 192.0.2.2:2', 'tcp 192.0.2.1:3'])
    expect(new Set(names)).toEqual(new Set(['example.org']))
    expect(resolve('turn:example.org?transport=tcp', zones).servers).toEqual(['tcp 192.0.2.1:3'])
  })

  it.each([
    ['stun:example.org', '_stun._udp.example.org', 'udp 192.0.2.1:7'],
    ['stuns:example.org', '_stuns._tcp.example.org', 'tls 192.0.2.1:7'],
    ['turns:example.org', '_turns._tcp.example.org', 'tls 192.0.2.1:7'],
  ])('%s has its SRV records at %s', (uri, name, server) => {
    const zones = { [name]: { SRV: [srv('a.example', 7)] }, 'a.example': { A: ['192.0.2.1'] } }
    expect(resolve(uri, zones).servers).toEqual([server])
  })

  it('whose SRV record is a dot has no such service', () => {
    const zones = {
      'example.org': { A: ['192.0.2.9'] },
      '_turn._udp.example.org': { SRV: [srv('.', 0)] },
      '_turn._tcp.example.org': { SRV: [srv('a.example', 3)] },
      'a.example': { A: ['192.0.2.1'] },
    }
    expect(resolve('turn:example.org', zones).servers).toEqual(['tcp 192.0.2.1:3'])
  })

  it('does not wait long for SRV and NAPTR records of a slow resolver', () => {
    const zones = {
      'turn.example': { A: ['192.0.2.1'] },
      '_turn._udp.turn.example': { delayMs: 30_000 },
      '_turn._tcp.turn.example': { delayMs: 30_000 },
    }
    expect(resolve('turn:turn.example', zones, { discoveryDeadlineMs: 500 })).toMatchObject({
      servers: ['udp 192.0.2.1:3478', 'tcp 192.0.2.1:3478'],
      elapsedMs: 500,
    })
  })

  it('is given up when addresses take too long', () => {
    const zones = { 'turn.example': { A: ['192.0.2.1'], delayMs: 30_000 } }
    expect(resolve('turn:turn.example:1', zones, { deadlineMs: 3000 })).toMatchObject({
      servers: ['ETIMEOUT'],
      elapsedMs: 3000,
    })
  })

  it('takes one answer of the DNS when all queries can be made at once', () => {
    expect(resolve('turn:turn.example', { 'turn.example': { A: ['192.0.2.1'] } }).elapsedMs).toBe(10)
  })
})

describe('NAPTR records', () => {
  /** RFC 5928 §4.1, figure 1. */
  const figure1 = {
    'example.net': {
      NAPTR: [
        naptr(200, '', 'RELAY:turn.tcp:turn.tls', 'stream.example.net'),
        naptr(100, '', 'RELAY:turn.udp', 'datagram.example.net'),
      ],
    },
    'datagram.example.net': { NAPTR: [naptr(100, 'S', 'RELAY:turn.udp', '_turn._udp.example.net')] },
    'stream.example.net': {
      NAPTR: [
        naptr(100, 'S', 'RELAY:turn.tcp', '_turn._tcp.example.net'),
        naptr(200, 'A', 'RELAY:turn.tls', 'a.example.net'),
      ],
    },
    '_turn._udp.example.net': { SRV: [srv('a.example.net', 3478)] },
    '_turn._tcp.example.net': { SRV: [srv('a.example.net', 5000)] },
    'a.example.net': { A: ['192.0.2.1'] },
  }
  const table2 = ['udp 192.0.2.1:3478', 'tls 192.0.2.1:5349', 'tcp 192.0.2.1:5000']

  it('lead to table 2 of RFC 5928 §4.1', () => {
    const { servers, names } = resolve('turn:example.net', figure1, { transports: ['tls', 'tcp', 'udp'] })
    expect(servers).toEqual(table2)
    expect(new Set(names)).toEqual(new Set(['example.net']))
  })

  it('lead there from another domain too, as in RFC 5928 §4.2', () => {
    const zones = {
      ...figure1,
      'example.com': { NAPTR: [naptr(100, '', 'RELAY:turn.udp:turn.tcp:turn.tls', 'example.net')] },
    }
    const { servers } = resolve('turn:example.com', zones, { transports: ['tls', 'tcp', 'udp'] })
    expect(servers).toEqual(['tls 192.0.2.1:5349', 'tcp 192.0.2.1:5000', 'udp 192.0.2.1:3478'])
  })

  it('lead to what is secure alone from a turns: URI', () => {
    expect(resolve('turns:example.net', figure1).servers).toEqual(['tls 192.0.2.1:5349'])
  })

  it('about anything else are passed over', () => {
    const zones = {
      'example.org': { A: ['192.0.2.1'], NAPTR: [naptr(1, 'S', 'SIP+D2U', '_sip._udp.example.org')] },
    }
    expect(resolve('turn:example.org?transport=udp', zones, { transports: all }).servers).toEqual([
      'udp 192.0.2.1:3478',
    ])
    expect(resolve('turn:example.org', zones).servers).toEqual(['udp 192.0.2.1:3478', 'tcp 192.0.2.1:3478'])
  })

  it('that lead round in a circle, or nowhere, lead to nothing', () => {
    const zones = {
      'example.org': {
        A: ['192.0.2.1'],
        NAPTR: [
          naptr(1, '', 'RELAY:turn.udp', 'example.org'),
          naptr(2, 'S', 'RELAY:turn.udp', '_nothing.example.org'),
          naptr(3, 'U', 'RELAY:turn.udp', 'example.org'),
        ],
      },
    }
    expect(resolve('turn:example.org', zones).servers).toEqual(['ENOTFOUND'])
  })

  it('in any number make us ask only so often', () => {
    const many = (name: string) =>
      Array.from({ length: 200 }, (_, i) => naptr(i, '', 'RELAY:turn.udp', `${i}.${name}`))
    const zones = {
      'example.org': { NAPTR: many('example.org') },
      '0.example.org': { NAPTR: many('0.example.org') },
    }
    expect(resolve('turn:example.org', zones).servers).toEqual(['ENOTFOUND'])
  })
})

it('is never called back after it was cancelled', () => {
  const internet = new Internet({ seed: 1 })
  const host = internet.host()
  for (const uri of ['turn:192.0.2.1', 'turn:turn.example']) {
    const cancel = resolveServer(host, parseServerUri(uri), {}, () => {
      throw new Error('called back')
    })
    cancel()
  }
  expect(internet.run({ for: 60_000 })).toBe(true)
})

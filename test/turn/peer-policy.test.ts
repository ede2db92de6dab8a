import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareIp, type IpWords, readIp } from '../../src/core/ip.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { embeddedIPv4, PeerPolicy, parseAddressRange } from '../../src/turn/peer-policy.ts'
import { always } from '../support/property.ts'
import { codeOf, relayAddress6, TurnHarness, text } from '../support/turn-harness.ts'

function ip(text: string): IpWords {
  const words = { a: 0, b: 0, c: 0, d: 0 }
  if (!readIp(text, words)) throw new Error(text)
  return words
}

const byDefault = new PeerPolicy({ allow: [], deny: [] })
const anyone = ['0.0.0.0/0', '::/0'].map(parseAddressRange)

const reachable = [
  ...[
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
  ],
  ...[
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
  ],
  ...['198.17.255.255', '198.20.0.0', '203.0.114.0', '223.255.255.255', '168.63.129.15', '168.63.129.17'],
  ...[
    '2000::1',
    '2001:200::1',
    '2001:db7:ffff::',
    '2001:db9::',
    '2003::1',
    '2600::1',
    '3ffe:ffff::1',
    '2a00:1450::8a',
  ],
]

const refused = [
  // This host, by any name: loopback and "any".
  ...['127.0.0.1', '127.0.0.2', '127.255.255.255', '::1', '0.0.0.0', '0.1.2.3', '::'],
  // Private, shared, link-local, metadata.
  ...[
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.0',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.0',
    '100.127.255.255',
  ],
  ...['169.254.169.254', '169.254.170.2', '169.254.0.0', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254'],
  ...['fc00::1', 'fdff::1', 'fe80::1', 'febf::1', 'fec0::1', 'feff::1'],
  // Special, documentation, benchmarks, multicast, broadcast, reserved.
  ...['192.0.0.1', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.19.255.255', '198.51.100.2', '203.0.113.1'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.254', '255.255.255.255', 'ff02::1', 'ffff::'],
  ...[
    '100::1',
    '2001::1',
    '2001:1ff:ffff::',
    '2001:db8::1',
    '2002::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
    '8000::1',
    '::2',
  ],
]

/** The loopback, private and metadata address in every form in which IPv6 can carry it. */
const embeddings: [string, (a: number, b: number, c: number, d: number) => string][] = [
  ['IPv4-mapped', (a, b, c, d) => `::ffff:${a}.${b}.${c}.${d}`],
  ['IPv4-mapped, in hexadecimal', (a, b, c, d) => `0:0:0:0:0:ffff:${hex(a, b)}:${hex(c, d)}`],
  ['IPv4-compatible', (a, b, c, d) => `::${a}.${b}.${c}.${d}`],
  ['IPv4-translated', (a, b, c, d) => `::ffff:0:${a}.${b}.${c}.${d}`],
  ['NAT64', (a, b, c, d) => `64:ff9b::${a}.${b}.${c}.${d}`],
  ['NAT64 of local use', (a, b, c, d) => `64:ff9b:1::${a}.${b}.${c}.${d}`],
  ['6to4', (a, b, c, d) => `2002:${hex(a, b)}:${hex(c, d)}::1`],
  ['Teredo', (a, b, c, d) => `2001:0:4136:e378:8000:63bf:${hex(a ^ 255, b ^ 255)}:${hex(c ^ 255, d ^ 255)}`],
  ['ISATAP', (a, b, c, d) => `2600::5efe:${a}.${b}.${c}.${d}`],
  ['ISATAP with the u bit', (a, b, c, d) => `2600::200:5efe:${a}.${b}.${c}.${d}`],
]

function hex(high: number, low: number): string {
  return (high * 256 + low).toString(16)
}

describe('by default a peer', () => {
  it.each(reachable)('%s may be reached', (text) => {
    expect(byDefault.allows(ip(text))).toBe(true)
  })

  it.each(refused)('%s may not be reached', (text) => {
    expect(byDefault.allows(ip(text))).toBe(false)
  })
})

describe.each(embeddings)('an address in its %s form', (name, spell) => {
  it('is told to carry that address', () => {
    if (name.startsWith('IPv4-mapped')) return expect(ip(spell(10, 1, 2, 3))).toEqual(ip('10.1.2.3'))
    return expect(embeddedIPv4(ip(spell(10, 1, 2, 3)))).toEqual(ip('10.1.2.3'))
  })

  it.each([
    [127, 0, 0, 1],
    [127, 0, 0, 2],
    [0, 0, 0, 0],
    [10, 0, 0, 5],
    [169, 254, 169, 254],
    [192, 168, 1, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
  ])('may not be reached when it carries %i.%i.%i.%i, whatever of IPv6 is allowed', (a, b, c, d) => {
    expect(byDefault.allows(ip(spell(a, b, c, d)))).toBe(false)
    const policy = new PeerPolicy({ allow: [parseAddressRange('::/0')], deny: [] })
    if (`${a}.${b}.${c}.${d}` !== '0.0.0.0' || name !== 'IPv4-compatible') {
      expect(policy.allows(ip(spell(a, b, c, d)))).toBe(false)
    }
  })

  it('may not be reached when it carries an address that is denied', () => {
    const policy = new PeerPolicy({
      allow: [parseAddressRange('::/0')],
      deny: [parseAddressRange('8.8.8.8')],
    })
    expect(policy.allows(ip(spell(8, 8, 8, 8)))).toBe(false)
  })
})

describe('what is configured', () => {
  it('allows a range in spite of the defaults, to its very ends', () => {
    const policy = new PeerPolicy({ allow: [parseAddressRange('10.1.0.0/16')], deny: [] })
    const answers = ['10.0.255.255', '10.1.0.0', '10.1.255.255', '10.2.0.0'].map((text) =>
      policy.allows(ip(text)),
    )
    expect(answers).toEqual([false, true, true, false])
  })

  it('denies a range, to its very ends, and an allowed one wins over it', () => {
    const policy = new PeerPolicy({
      allow: [parseAddressRange('8.8.8.8')],
      deny: [parseAddressRange('8.8.8.7-8.8.8.9')],
    })
    const answers = ['8.8.8.6', '8.8.8.7', '8.8.8.8', '8.8.8.9', '8.8.8.10'].map((text) =>
      policy.allows(ip(text)),
    )
    expect(answers).toEqual([true, false, true, false, true])
  })

  it.each([
    ...['0.0.0.0', '0.1.2.3', '::', '224.0.0.1', '255.255.255.255', 'ff02::1'],
    ...['2001::1', '2001:0:ffff::1', '2002::1', '2002:808:808::1'],
  ])('never allows %s: no single host answers there, or this one does, or a tunnel', (text) => {
    expect(new PeerPolicy({ allow: anyone, deny: [] }).allows(ip(text))).toBe(false)
  })

  it('allows loopback by name, in its own spelling alone', () => {
    const policy = new PeerPolicy({ allow: [parseAddressRange('127.0.0.0/8')], deny: [] })
    expect(policy.allows(ip('127.0.0.1'))).toBe(true)
    expect(policy.allows(ip('::ffff:127.0.0.1'))).toBe(true)
    expect(policy.allows(ip('::127.0.0.1'))).toBe(false)
    expect(policy.allows(ip('::1'))).toBe(false)
  })
})

describe('a range', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', '10.255.255.255'],
    ['10.1.2.3/8', '10.0.0.0', '10.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255'],
    ['192.0.2.1/32', '192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['192.0.2.1-192.0.3.9', '192.0.2.1', '192.0.3.9'],
    ['2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::ff-2001:db8::1:0', '2001:db8::ff', '2001:db8::1:0'],
    ['::ffff:10.0.0.0/8', '10.0.0.0', '10.255.255.255'],
  ])('%s is %s to %s', (text, first, last) => {
    expect(parseAddressRange(text)).toEqual({ first: ip(first), last: ip(last) })
  })

  it.each([
    ...[
      '',
      ' ',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0.0/08a',
      '::/129',
      '10.0.0.0/8-10.0.0.9',
    ],
    ...[
      '10.0.0.9-10.0.0.1',
      '10.0.0.1-::1',
      '10.0.0.1-',
      '-10.0.0.1',
      '1-2-3',
      '010.0.0.1',
      '0177.0.0.1',
      'localhost',
      '10.0.0',
      '*',
    ],
  ])('%j is none: the configuration is refused, and the value named', (text) => {
    expect(() => parseAddressRange(text)).toThrow(
      expect.objectContaining({
        code: 'configuration-invalid',
        message: expect.stringContaining(JSON.stringify(text)),
      }),
    )
  })

  it('of a prefix has those addresses and no others that begin with its bits', () => {
    const words = fc.record({ a: fc.integer(), b: fc.integer(), c: fc.integer(), d: fc.integer() })
    always(
      fc.property(words, words, fc.integer({ min: 0, max: 128 }), (base, other, bits) => {
        const address = new TransportAddress(base.a, base.b, base.c, base.d, 0)
        if (address.family === 'IPv4') return
        const { first, last } = parseAddressRange(`${address.ip}/${bits}`)
        const isWithin = compareIp(first, other) <= 0 && compareIp(other, last) <= 0
        const bitsOf = ({ a, b, c, d }: IpWords) =>
          [a, b, c, d].map((word) => (word >>> 0).toString(2).padStart(32, '0')).join('')
        expect(isWithin).toBe(bitsOf(base).slice(0, bits) === bitsOf(other).slice(0, bits))
      }),
      1_000,
    )
  })
})

describe('the policy', () => {
  const forbidden = [
    ...refused,
    ...embeddings.map(([, spell]) => spell(127, 0, 0, 1)),
    ...embeddings.map(([, spell]) => spell(169, 254, 169, 254)),
  ]
  it.each([...new Set(forbidden)])(
    'has %s refused by CreatePermission and ChannelBind, and Send and peer get nowhere',
    (text_) => {
      const peer = TransportAddress.of(text_, 80)
      const harness = new TurnHarness()
      const client = harness.client()
      const relayed = client.allocate([['REQUESTED-ADDRESS-FAMILY', peer.family]])
      const socket = client.relaySocketAt(relayed)
      expect(codeOf(client.permit(peer))).toBe(403)
      expect(codeOf(client.bindChannel(0x4000, peer))).toBe(403)
      expect(client.sendIndication(peer, text('x'))).toBeUndefined()
      expect(client.sendChannelData(0x4000, text('x'))).toBeUndefined()
      expect(harness.fromPeer(socket, peer, text('x'))).toBeUndefined()
    },
  )

  it('has an IPv4-mapped peer refused on an IPv6 allocation as an IPv4 one is', () => {
    const client = new TurnHarness().client()
    expect(client.allocate([['REQUESTED-ADDRESS-FAMILY', 'IPv6']]).ip).toBe(relayAddress6.ip)
    expect(codeOf(client.permit(TransportAddress.parse('[::ffff:8.8.8.8]:1')))).toBe(443)
    expect(codeOf(client.permit(TransportAddress.parse('[::ffff:127.0.0.1]:1')))).toBe(443)
  })
})

/** SDP candidate lines (RFC 8839 §5.1, RFC 6544 §4.5), as other programs write them and as nobody should. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { CandidateDescription } from '../../src/ice/candidate.ts'
import { type CandidateFault, formatCandidate, parseCandidate } from '../../src/ice/candidate-line.ts'

const at = TransportAddress.parse

const lines: [string, string, CandidateDescription][] = [
  [
    'the example of RFC 8839 §5.1',
    'a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998',
    {
      foundation: '2',
      component: 1,
      protocol: 'udp',
      priority: 1_694_498_815,
      address: at('192.0.2.3:45664'),
      type: 'srflx',
      related: at('203.0.113.141:8998'),
    },
  ],
  [
    'a host candidate as Chromium writes it',
    'candidate:842163049 1 udp 1677729535 2001:db8::1 58128 typ host generation 0 ufrag 3rWE network-id 1 network-cost 10',
    {
      foundation: '842163049',
      component: 1,
      protocol: 'udp',
      priority: 1_677_729_535,
      address: at('[2001:db8::1]:58128'),
      type: 'host',
      ufrag: '3rWE',
      networkCost: 10,
    },
  ],
  [
    'an mDNS name',
    'candidate:1 1 UDP 2122252543 3fa6a5b5-9d7c-4c2e-8a3c-0f0f0f0f0f0f.local 50000 typ host',
    {
      foundation: '1',
      component: 1,
      protocol: 'udp',
      priority: 2_122_252_543,
      address: { name: '3fa6a5b5-9d7c-4c2e-8a3c-0f0f0f0f0f0f.local', port: 50_000 },
      type: 'host',
    },
  ],
  [
    'an active TCP candidate',
    'candidate:3 1 TCP 1518280447 10.0.0.1 9 typ host tcptype active',
    {
      foundation: '3',
      component: 1,
      protocol: 'tcp',
      priority: 1_518_280_447,
      address: at('10.0.0.1:9'),
      type: 'host',
      tcpType: 'active',
    },
  ],
  [
    'a relayed candidate with a hidden related address and extensions that we do not know',
    'a=candidate:4 2 udp 16777214 203.0.113.9 49152 typ relay raddr 0.0.0.0 rport 9 colour blue',
    {
      foundation: '4',
      component: 2,
      protocol: 'udp',
      priority: 16_777_214,
      address: at('203.0.113.9:49152'),
      type: 'relay',
    },
  ],
  [
    'a link-local address with a zone, which means nothing here',
    'candidate:5 1 udp 2130706431 fe80::1%eth0 1000 typ host',
    {
      foundation: '5',
      component: 1,
      protocol: 'udp',
      priority: 2_130_706_431,
      address: at('[fe80::1]:1000'),
      type: 'host',
    },
  ],
]

describe('a candidate line', () => {
  it.each(lines)('is read: %s', (_name, line, expected) => {
    expect(parseCandidate(line)).toEqual(expected)
  })

  const faults: [string, string, CandidateFault][] = [
    ['nothing', '', 'not-a-candidate'],
    ['another attribute', 'a=rtpmap:0 PCMU/8000', 'not-a-candidate'],
    ['no type', 'candidate:1 1 udp 1 10.0.0.1 1', 'not-a-candidate'],
    ['a foundation with a strange character', 'candidate:1_ 1 udp 1 10.0.0.1 1 typ host', 'bad-foundation'],
    [
      'a foundation of 33 characters',
      `candidate:${'a'.repeat(33)} 1 udp 1 10.0.0.1 1 typ host`,
      'bad-foundation',
    ],
    ['component 0', 'candidate:1 0 udp 1 10.0.0.1 1 typ host', 'bad-component'],
    ['component 257', 'candidate:1 257 udp 1 10.0.0.1 1 typ host', 'bad-component'],
    ['SCTP', 'candidate:1 1 sctp 1 10.0.0.1 1 typ host', 'unknown-transport'],
    ['priority 0', 'candidate:1 1 udp 0 10.0.0.1 1 typ host', 'bad-priority'],
    ['priority 2^31', 'candidate:1 1 udp 2147483648 10.0.0.1 1 typ host', 'bad-priority'],
    ['a negative priority', 'candidate:1 1 udp -1 10.0.0.1 1 typ host', 'bad-priority'],
    ['an address with too many octets', 'candidate:1 1 udp 1 10.0.0.1.1 1 typ host', 'bad-address'],
    ['an address with markup', 'candidate:1 1 udp 1 <b>.local 1 typ host', 'bad-address'],
    ['port 65536', 'candidate:1 1 udp 1 10.0.0.1 65536 typ host', 'bad-port'],
    ['a port that is a word', 'candidate:1 1 udp 1 10.0.0.1 http typ host', 'bad-port'],
    ['an unknown type', 'candidate:1 1 udp 1 10.0.0.1 1 typ lunar', 'unknown-type'],
    ['TCP without its direction', 'candidate:1 1 tcp 1 10.0.0.1 1 typ host', 'bad-tcp-type'],
    ['TCP in a direction of its own', 'candidate:1 1 tcp 1 10.0.0.1 1 typ host tcptype up', 'bad-tcp-type'],
    ['a megabyte', `candidate:1 1 udp 1 10.0.0.1 1 typ host x ${'y'.repeat(2 ** 20)}`, 'not-a-candidate'],
  ]
  it.each(faults)('is refused with its reason: %s', (_name, line, fault) => {
    expect(parseCandidate(line)).toBe(fault)
  })

  it('is a value or a reason, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(['string', 'object']).toContain(typeof parseCandidate(text))
      }),
    )
  })

  it('is read as it was written', () => {
    const address = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }))
      .map(([ip, port]) => TransportAddress.of(ip, port))
    const candidate = fc.record<CandidateDescription>(
      {
        foundation: fc.stringMatching(/^[A-Za-z0-9+/]{1,32}$/),
        component: fc.integer({ min: 1, max: 256 }),
        protocol: fc.constant('udp'),
        priority: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        address,
        type: fc.constantFrom('host', 'srflx', 'prflx', 'relay'),
        ufrag: fc.stringMatching(/^[A-Za-z0-9+/]{4,32}$/),
        networkCost: fc.integer({ min: 0, max: 999 }),
      },
      { requiredKeys: ['foundation', 'component', 'protocol', 'priority', 'address', 'type'] },
    )
    fc.assert(
      fc.property(candidate, (description) => {
        expect(parseCandidate(formatCandidate(description))).toEqual(description)
      }),
    )
  })

  it('gives the discard port for an active TCP candidate, whatever its own', () => {
    const description = { ...lines[3]![2], address: at('10.0.0.1:4711') }
    expect(formatCandidate(description)).toBe(
      'candidate:3 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active',
    )
  })

  it('has an empty related address where there is none to tell, and none for a host', () => {
    const { related, ...hidden } = lines[0]![2]
    expect(formatCandidate(hidden)).toContain('typ srflx raddr 0.0.0.0 rport 9')
    expect(formatCandidate({ ...hidden, address: at('[2001:db8::1]:1') })).toContain('raddr :: rport 9')
    expect(formatCandidate({ ...hidden, type: 'host' })).not.toContain('raddr')
  })
})

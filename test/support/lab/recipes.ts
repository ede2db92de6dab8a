/**
 * NATs that Linux can be, as nftables rules for the namespace between a home and the internet, and what `turnpike nat`
 * has to say of each. WAN is the outer address, HOST the only host inside; LAN and WAN's interfaces are `lan` and `wan`.
 */

import type { FamilyReport } from '../../../src/probe/report.ts'

type DeepPartial<T> = T extends object ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> } : T

export interface Recipe {
  readonly name: string
  readonly rules?: string
  /** Of a carrier's NAT outside of this one. */
  readonly carrier?: string
  /** The host's own address is reached from outside. */
  readonly isRouted?: boolean
  readonly sysctls?: Readonly<Record<string, string>>
  /** More outer addresses, as the last number of WAN: 101 to 199. */
  readonly pool?: readonly number[]
  readonly hairpin?: boolean
  readonly port?: number
  /** Measured from a relay, with servers that have no RFC 5780. */
  readonly byRelay?: boolean
  /** Seconds of silence to try. */
  readonly ladder?: readonly number[]
  readonly udp: DeepPartial<FamilyReport>
  readonly tcp?: DeepPartial<FamilyReport>
  /** How long mappings live after a single exchange and after a stream: of the ladder, the last that lives. */
  readonly lifetime?: { readonly single: number; readonly stream: number }
}

/** What a home router lets in: answers. */
const firewall = `
table ip fw {
  chain forw { type filter hook forward priority filter; policy drop; ct state established,related accept; iifname "lan" accept; ct status dnat accept; }
  chain inp { type filter hook input priority filter; policy accept; iifname "wan" ct state new drop; }
}
`

const nat = (...chains: string[]) => `table ip nat {\n${chains.join('\n')}\n}\n`
const post = (...rules: string[]) =>
  `chain post { type nat hook postrouting priority srcnat; ${rules.join('; ')}; }`
const pre = (rule: string) => `chain pre { type nat hook prerouting priority dstnat; ${rule}; }`
const forward = (rule: string) =>
  `table ip extra {\nchain f { type filter hook forward priority -10; ${rule}; }\n}\n`

const masquerade = nat(post('oifname "wan" masquerade'))
const hashed = (of: string) =>
  nat(post(`oifname "wan" meta l4proto udp snat ip to WAN : jhash ${of} mod 20000 offset 40000`))
const home = firewall + masquerade

/** The inner host that a port has been used by, for a full cone of many hosts. */
const learned = `
  map fc { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 60s; size 65535; }
  chain learn { type filter hook forward priority mangle; iifname "lan" oifname "wan" meta l4proto udp update @fc { udp sport : ip saddr }; }`
const fullCone = nat(
  learned,
  pre('iifname "wan" meta l4proto udp dnat ip to udp dport map @fc'),
  post('oifname "wan" masquerade'),
)
const restricted = nat(
  `map fc { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 60s; size 65535; }
  set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 60s; }
  chain learn { type filter hook forward priority mangle; iifname "lan" oifname "wan" meta l4proto udp update @fc { udp sport : ip saddr } update @seen { ip daddr . udp sport }; }`,
  pre('iifname "wan" meta l4proto udp ip saddr . udp dport @seen dnat ip to udp dport map @fc'),
  post('oifname "wan" masquerade'),
)
const translatedCone = nat(
  `map fc { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 60s; size 65535; }
  chain learn { type filter hook postrouting priority 300; oifname "wan" meta l4proto udp update @fc { udp sport : ct original ip saddr . ct original proto-src }; }`,
  pre('iifname "wan" meta l4proto udp dnat ip to udp dport map @fc'),
  post('oifname "wan" meta l4proto udp snat ip to WAN : jhash ip saddr . udp sport mod 20000 offset 40000'),
)
const hairpinning = nat(
  learned,
  pre('ip daddr WAN meta l4proto udp dnat ip to udp dport map @fc'),
  post('oifname "wan" masquerade', 'iifname "lan" oifname "lan" snat to WAN'),
)
const dmz = nat(pre('iifname "wan" udp dport 1024-65535 dnat to HOST'), post('oifname "wan" masquerade'))
const randomPorts = nat(post('oifname "wan" masquerade fully-random'))
/** nftables swaps the bytes of a port that is counted; through a map it does not. */
const counted = nat(
  post(
    `oifname "wan" meta l4proto udp snat ip to WAN : numgen inc mod 512 map { ${Array.from({ length: 512 }, (_, i) => `${i} : ${40_000 + i}`).join(', ')} }`,
  ),
)

const kind = (mapping: 'EIM' | 'ADM' | 'APDM', filtering: 'EIF' | 'ADF' | 'APDF', more = {}) => ({
  isDirect: { value: false },
  nat: { mapping: { value: mapping }, filtering: { value: filtering }, ...more },
})
const kept = { portPreserved: { value: true }, inboundPoisonsMapping: { value: false } }
const blocked = { reachable: { value: false }, nat: null }

export const recipes: readonly Recipe[] = [
  {
    name: '1 no NAT',
    isRouted: true,
    udp: { ...kind('EIM', 'EIF'), isDirect: { value: true } },
  },
  {
    name: '2 a public address behind a stateful firewall',
    rules: firewall,
    isRouted: true,
    udp: { ...kind('EIM', 'APDF'), isDirect: { value: true } },
  },
  { name: '3 port-restricted', rules: home, udp: kind('EIM', 'APDF', kept) },
  {
    name: '3b the same without a rule that drops what comes unasked',
    rules: masquerade,
    udp: kind('EIM', 'APDF', { inboundPoisonsMapping: { value: true } }),
  },
  { name: '4 a full cone for one host', rules: firewall + dmz, udp: kind('EIM', 'EIF') },
  { name: '5 a full cone for many hosts', rules: firewall + fullCone, udp: kind('EIM', 'EIF') },
  { name: '6 address-restricted', rules: firewall + restricted, udp: kind('EIM', 'ADF') },
  {
    name: '7 one to one, as in a cloud',
    rules: nat(pre('iifname "wan" ip daddr WAN dnat to HOST'), post('oifname "wan" snat to WAN')),
    udp: kind('EIM', 'EIF'),
  },
  {
    name: '8 a full cone with other ports',
    rules: firewall + translatedCone,
    udp: kind('EIM', 'EIF', { portPreserved: { value: false } }),
  },
  {
    name: '9 endpoint-independent with other ports',
    rules: firewall + hashed('ip saddr . udp sport'),
    udp: kind('EIM', 'APDF', { portPreserved: { value: false } }),
  },
  {
    name: '10 address-dependent mapping',
    rules: firewall + hashed('ip saddr . udp sport . ip daddr'),
    udp: kind('ADM', 'APDF'),
  },
  {
    name: '11 symmetric, ports at random',
    rules: firewall + randomPorts,
    udp: kind('APDM', 'APDF', { allocation: { value: 'random' } }),
  },
  {
    name: '12 symmetric, ports one after another',
    rules: firewall + counted,
    udp: kind('APDM', 'APDF', { allocation: { value: 'sequential' } }),
  },
  {
    name: '13 three public addresses in turns',
    rules:
      firewall + nat(post('oifname "wan" snat to numgen inc mod 3 map { 0 : WAN, 1 : POOL0, 2 : POOL1 }')),
    pool: [0, 1],
    udp: {
      nat: {
        mapping: {
          value: null,
          reason: 'packets of one socket leave from several public addresses in turns (RFC 4787 §4.1)',
        },
        portPreserved: { value: true },
        publicIps: 3,
      },
    },
  },
  {
    name: '14 an address for each destination',
    rules:
      firewall + nat(post('oifname "wan" snat to ip daddr map { 203.0.113.10 : WAN, 203.0.113.11 : POOL0 }')),
    pool: [2],
    udp: { nat: { mapping: { value: 'ADM' }, portPreserved: { value: true } } },
  },
  {
    name: '15 hairpinning',
    rules: firewall + hairpinning,
    hairpin: true,
    udp: kind('EIM', 'EIF', { hairpin: { value: true, source: 'external' }, layers: { value: 1 } }),
  },
  { name: '16 UDP dropped', rules: home + forward('meta l4proto udp drop'), udp: blocked },
  { name: '17 UDP rejected', rules: home + forward('meta l4proto udp reject'), udp: blocked },
  {
    name: '18 TCP to port 443 and nothing else, asked there',
    rules:
      home +
      forward(
        'iifname "lan" meta l4proto udp drop; iifname "lan" tcp dport 443 accept; iifname "lan" meta l4proto tcp reject with tcp reset',
      ),
    port: 443,
    udp: blocked,
    tcp: { reachable: { value: true } },
  },
  {
    name: '18b the same, asked at port 3478',
    rules:
      home +
      forward(
        'iifname "lan" meta l4proto udp drop; iifname "lan" tcp dport 443 accept; iifname "lan" meta l4proto tcp reject with tcp reset',
      ),
    udp: blocked,
    tcp: { reachable: { value: false } },
  },
  {
    name: '19 20 % loss',
    rules: home + forward('meta l4proto udp numgen random mod 100 < 20 drop'),
    udp: kind('EIM', 'APDF'),
  },
  {
    name: '20 no fragments',
    rules: `${home}
table ip extra {
  chain p { type filter hook prerouting priority -450; ip frag-off & 0x3fff != 0 drop; }
}`,
    udp: kind('EIM', 'APDF', { fragments: { value: false } }),
  },
  {
    name: '21 an application level gateway',
    rules:
      home +
      forward(
        'udp sport 3478 @th,64,16 0x0101 @th,384,32 WANHEX @th,384,32 set HOSTHEX; udp sport 3479 @th,64,16 0x0101 @th,384,32 WANHEX @th,384,32 set HOSTHEX',
      ),
    udp: kind('EIM', 'APDF', { alg: { value: true } }),
  },
  {
    name: '22 short lifetimes',
    rules: home,
    sysctls: {
      'net.netfilter.nf_conntrack_udp_timeout': '5',
      'net.netfilter.nf_conntrack_udp_timeout_stream': '15',
    },
    ladder: [1, 8, 20],
    udp: {},
    lifetime: { single: 1, stream: 8 },
  },
  {
    name: '22b short lifetimes by a rule',
    rules: `${home}
table ip extra {
  ct timeout u { protocol udp; l3proto ip; policy = { unreplied : 5, replied : 15 } ; }
  chain p { type filter hook prerouting priority filter; meta l4proto udp ct timeout set "u"; }
}`,
    ladder: [1, 8, 20],
    udp: {},
    lifetime: { single: 1, stream: 8 },
  },
  ...(
    [
      ['3', home, 'EIM', 'APDF'],
      ['5', firewall + fullCone, 'EIM', 'EIF'],
      ['6', firewall + restricted, 'EIM', 'ADF'],
      ['10', firewall + hashed('ip saddr . udp sport . ip daddr'), 'ADM', 'APDF'],
      ['11', firewall + randomPorts, 'APDM', 'APDF'],
    ] as const
  ).map(([number, rules, mapping, filtering]) => ({
    name: `${number}t the same by a relay as the second vantage point`,
    rules,
    byRelay: true,
    udp: {
      nat: {
        mapping: { value: mapping, vantage: 'turn' as const },
        // Both relays have one address: whether a filter goes by address is not seen where it lets nothing through.
        filtering: { value: filtering },
      },
    },
  })),
  {
    name: "23 a carrier's NAT outside of one at home",
    rules: home,
    carrier: home,
    udp: kind('EIM', 'APDF', kept),
  },
  {
    name: "24 a carrier's symmetric NAT outside of one at home",
    rules: home,
    carrier: firewall + randomPorts,
    udp: kind('APDM', 'APDF'),
  },
  {
    name: "25 a carrier's NAT that hairpins, outside of a full cone",
    rules: firewall + dmz,
    carrier: firewall + hairpinning,
    hairpin: true,
    udp: kind('EIM', 'EIF', { hairpin: { value: true }, layers: { value: 2 } }),
  },
]

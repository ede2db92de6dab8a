/** What may stand at a router: something that lets packets through, rewrites them, or does not. */

import type { Instant } from '../core/time.ts'
import type { Packet } from './packet.ts'

/** `rejected` is told to the sender, by ICMP or a TCP reset; `hairpin` goes back to where it came from. */
export type Verdict = 'forwarded' | 'filtered' | 'rejected' | 'hairpin'

export interface Middlebox {
  outbound(packet: Packet, now: Instant): Verdict
  inbound(packet: Packet, now: Instant): Verdict
}

/** What a network lets out. A function may decide for each packet. */
export type OutboundPolicy =
  | 'open'
  | 'udp-dropped'
  | 'udp-rejected'
  /** TCP to port 443 and nothing else; other TCP is reset, UDP is dropped. */
  | 'tcp-443-only'
  | ((packet: Packet) => Exclude<Verdict, 'hairpin'>)

export class PolicyBox implements Middlebox {
  readonly #judge: (packet: Packet) => Verdict

  constructor(policy: OutboundPolicy) {
    this.#judge = typeof policy === 'function' ? policy : policies[policy]
  }

  outbound(packet: Packet): Verdict {
    return this.#judge(packet)
  }

  inbound(packet: Packet): Verdict {
    // Blocked UDP does not come in either; answers to TCP are the business of the firewall or the NAT.
    return packet.protocol === 'udp' ? this.#judge(packet) : 'forwarded'
  }
}

const policies = {
  open: () => 'forwarded',
  'udp-dropped': ({ protocol }) => (protocol === 'udp' ? 'filtered' : 'forwarded'),
  'udp-rejected': ({ protocol }) => (protocol === 'udp' ? 'rejected' : 'forwarded'),
  'tcp-443-only': ({ protocol, destination }) => {
    if (protocol === 'udp') return 'filtered'
    return protocol === 'icmp' || destination.port === 443 ? 'forwarded' : 'rejected'
  },
} as const satisfies Record<string, (packet: Packet) => Verdict>

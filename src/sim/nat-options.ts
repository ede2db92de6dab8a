/** What a NAT can be told to be like: the behaviours of RFC 4787 for UDP and RFC 5382 for TCP, and what real ones do besides. */

import type { Dependency } from './filter.ts'
import type { PortOptions } from './nat-ports.ts'

export interface NatOptions extends PortOptions {
  readonly mapping: Dependency
  readonly filtering: Dependency
  /** Whether what one mapping has sent to lets answers in at that mapping, or at all mappings of the inner endpoint. */
  readonly filterScope: 'mapping' | 'endpoint'
  /** Whether an inner host keeps its external address (RFC 4787 §4.1 "paired"). */
  readonly pooling: 'paired' | 'arbitrary'
  /** What an inner host sees when another one sends to its external address (RFC 4787 §6). */
  readonly hairpin: 'none' | 'internal-source' | 'external-source'
  readonly lifetimeMs: number
  /** Until two seconds of traffic both ways have passed, as Linux has it. */
  readonly singleExchangeLifetimeMs: number
  readonly tcpLifetimeMs: number
  /** Whether what comes in keeps a mapping alive, or only what goes out (RFC 4787 §4.3). */
  readonly inboundRefresh: boolean
  /**
   * A packet from outside that nobody asked for takes its external port for its sender: what an inner host sends to
   * that sender later gets another port. Linux without a rule that drops such packets does this.
   */
  readonly poisonedByInbound: boolean
  /** Rewrites addresses in UDP payloads, as application level gateways do. */
  readonly alg: boolean
}

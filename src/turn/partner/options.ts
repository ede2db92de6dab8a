/** What an engine is told of a partner: where the two are, and what they sign with. */

import type { TransportAddress } from '../../core/transport-address.ts'
import type { PartnerIdentity } from './datagram.ts'

export interface PartnerOptions extends PartnerIdentity {
  /** Our two sockets, as they are bound. */
  readonly bound: readonly [TransportAddress, TransportAddress]
  /** The partner's two ports, as we reach them. */
  readonly remote: readonly [TransportAddress, TransportAddress]
  /** What the link's datagrams may be signed with. */
  readonly keys: readonly Uint8Array[]
}

/** Another server that clients may be sent to (RFC 8489 §10, §14.15, §14.16). */

import type { TransportAddress } from '../core/transport-address.ts'
import type { ClientTransport } from './socket-numbers.ts'

export interface AlternateServer {
  readonly address: TransportAddress
  /** Which clients it is for: they go on by the transport that they have come by. */
  readonly transports: readonly ClientTransport[]
  /** The name in its certificate, where that is another than ours. */
  readonly domain?: string | undefined
}

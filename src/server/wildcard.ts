/** The address that a socket is bound to for all addresses of its family. */

import type { TransportAddress } from '../core/transport-address.ts'

/** Whether the address stands for all addresses of its family. */
export function isWildcard(address: TransportAddress): boolean {
  return address.ip === '0.0.0.0' || address.ip === '::'
}

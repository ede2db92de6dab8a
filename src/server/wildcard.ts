/** Addresses that a listener may have that are no address of a network. */

import type { TransportAddress } from '../core/transport-address.ts'

/** Whether the address stands for all addresses of its family. */
export function isWildcard(address: TransportAddress): boolean {
  return address.ip === '0.0.0.0' || address.ip === '::'
}

/** Whether only this machine reaches it. */
export function isLoopback({ ip }: TransportAddress): boolean {
  return ip === '::1' || ip.startsWith('127.')
}

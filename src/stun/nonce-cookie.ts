/** The nonce cookie: 13 characters before a nonce that say what the server offers (RFC 8489 §9.2, §9.2.1, §18.1). */

import { base64Digits } from '../core/base64.ts'

const prefix = 'obMatJos2'
const cookieLength = prefix.length + 4

export interface SecurityFeatures {
  /** Bit 0: the server sends PASSWORD-ALGORITHMS. */
  readonly passwordAlgorithms: boolean
  /** Bit 1: the server wants USERHASH in place of USERNAME. */
  readonly userAnonymity: boolean
}

/** What stands before the nonces of a server with these features. */
export function formatNonceCookie({ passwordAlgorithms, userAnonymity }: SecurityFeatures): string {
  // Both bits that are defined stand in the first of the four base64 digits.
  return `${prefix}${base64Digits[(passwordAlgorithms ? 0x20 : 0) | (userAnonymity ? 0x10 : 0)]}AAA`
}

/** What the nonce's cookie says; undefined when it has none, as those of RFC 5389 servers. */
export function parseNonceCookie(nonce: string): SecurityFeatures | undefined {
  if (!nonce.startsWith(prefix) || nonce.length < cookieLength) return undefined
  const digit = base64Digits.indexOf(nonce[prefix.length]!)
  if (digit < 0) return undefined
  return { passwordAlgorithms: (digit & 0x20) !== 0, userAnonymity: (digit & 0x10) !== 0 }
}

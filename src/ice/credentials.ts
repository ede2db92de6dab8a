/** Username fragments and passwords (RFC 8445 §5.3, RFC 8839 §5.4), drawn from the injected randomness. */

import type { Random } from '../core/random.ts'

export interface IceCredentials {
  readonly ufrag: string
  readonly pwd: string
}

/** What a side says of itself, besides its candidates (RFC 8445 §5.3). */
export interface IceDescription extends IceCredentials {
  readonly lite?: boolean | undefined
  /** Tags of `ice-options`. */
  readonly options?: readonly string[] | undefined
  /** The Ta that it proposes; 50 is meant if it proposes none (RFC 8839 §5.5). */
  readonly pacingMs?: number | undefined
}

const iceChars = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** 48 bits; the grammar asks for 24. A mux tells sessions apart by it. */
const ufragLength = 8
/** 144 bits; the grammar asks for 128. */
const pwdLength = 24

export function newCredentials(random: Random): IceCredentials {
  return { ufrag: iceText(random, ufragLength), pwd: iceText(random, pwdLength) }
}

/** Six bits of each random byte make one character, so none is likelier than another. */
function iceText(random: Random, length: number): string {
  return Array.from(random.bytes(length), (byte) => iceChars[byte & 63]).join('')
}

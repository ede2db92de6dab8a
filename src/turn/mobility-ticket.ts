/**
 * Tickets of mobile allocations (RFC 8016 §3.1.2, §5): a name that only this server can write and read. What is in it
 * is encrypted under a synthetic initialization vector, which authenticates it as well (as RFC 5297 does it).
 * Interop: turnutils_uclient takes tickets of at most 32 bytes, and only such as are text.
 */

import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { readUint32, writeUint32 } from '../stun/bytes.ts'

export interface TicketContents {
  /** Which allocation: below 2^40. */
  readonly handle: number
  /** Which of its tickets: below 2^24. */
  readonly generation: number
}

/** A key to encrypt with and one to authenticate with. */
export const ticketKeyBytes = 64

const cipher = 'aes-256-ctr'
const ivBytes = 16
const plainBytes = 8
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Four characters for three bytes. */
const ticketCharacters = ((ivBytes + plainBytes) / 3) * 4

export class TicketSealer {
  readonly #cipherKey: Uint8Array
  readonly #macKey: Uint8Array

  /** `keys` are 64 random bytes. */
  constructor(keys: Uint8Array) {
    this.#cipherKey = keys.subarray(0, 32)
    this.#macKey = keys.subarray(32, ticketKeyBytes)
  }

  /** 32 characters. The same contents give the same ticket. */
  seal({ handle, generation }: TicketContents): Uint8Array {
    const plain = new Uint8Array(plainBytes)
    writeUint32(plain, 0, Math.trunc(handle / 2 ** 8))
    writeUint32(plain, 4, (handle % 2 ** 8) * 2 ** 24 + (generation % 2 ** 24))
    const sealed = new Uint8Array(ivBytes + plainBytes)
    sealed.set(this.#ivOf(plain))
    sealed.set(createCipheriv(cipher, this.#cipherKey, sealed.subarray(0, ivBytes)).update(plain), ivBytes)
    return toText(sealed)
  }

  /** Undefined for bytes that this sealer has not made. */
  open(ticket: Uint8Array): TicketContents | undefined {
    const sealed = fromText(ticket)
    if (sealed === undefined) return undefined
    const iv = sealed.subarray(0, ivBytes)
    const plain = createDecipheriv(cipher, this.#cipherKey, iv).update(sealed.subarray(ivBytes))
    if (!timingSafeEqual(iv, this.#ivOf(plain))) return undefined
    const low = readUint32(plain, 4)
    return { handle: readUint32(plain, 0) * 2 ** 8 + Math.trunc(low / 2 ** 24), generation: low % 2 ** 24 }
  }

  #ivOf(plain: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#macKey).update(plain).digest().subarray(0, ivBytes)
  }
}

/** base64url (RFC 4648 §5), without padding: the length is a multiple of three. */
function toText(bytes: Uint8Array): Uint8Array {
  const text = new Uint8Array(ticketCharacters)
  for (let i = 0; i < ticketCharacters; i++) {
    const bit = i * 6
    const pair = (bytes[bit >> 3]! << 8) | (bytes[(bit >> 3) + 1] ?? 0)
    text[i] = alphabet.charCodeAt((pair >> (10 - (bit & 7))) & 63)
  }
  return text
}

function fromText(text: Uint8Array): Uint8Array | undefined {
  if (text.length !== ticketCharacters) return undefined
  const bytes = new Uint8Array(ivBytes + plainBytes)
  for (let i = 0; i < ticketCharacters; i++) {
    const value = alphabet.indexOf(String.fromCharCode(text[i]!))
    if (value < 0) return undefined
    const bit = i * 6
    const shifted = value << (10 - (bit & 7))
    bytes[bit >> 3]! |= shifted >> 8
    if ((bit >> 3) + 1 < bytes.length) bytes[(bit >> 3) + 1]! |= shifted & 255
  }
  return bytes
}

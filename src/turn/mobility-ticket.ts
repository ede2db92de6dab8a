/** Tickets of mobile allocations (RFC 8016 §3.1.2, §5): a name that only this server can write and read. */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '../core/random.ts'
import { readUint32, writeUint32 } from '../stun/bytes.ts'

export interface TicketContents {
  /** Which allocation. */
  readonly handle: number
  /** Which of its tickets. */
  readonly generation: number
}

const cipher = 'aes-256-gcm'
const ivBytes = 12
const plainBytes = 12
const tagBytes = 16

/** Initialization vector, encrypted contents, authentication tag. */
const ticketBytes = ivBytes + plainBytes + tagBytes

export class TicketSealer {
  readonly #random: Random
  readonly #key: Uint8Array

  constructor(random: Random) {
    this.#random = random
    this.#key = random.bytes(32)
  }

  /** 40 bytes, different ones each time. */
  seal({ handle, generation }: TicketContents): Uint8Array {
    const plain = new Uint8Array(plainBytes)
    writeUint32(plain, 0, Math.trunc(handle / 2 ** 32))
    writeUint32(plain, 4, handle)
    writeUint32(plain, 8, generation)
    const ticket = new Uint8Array(ticketBytes)
    ticket.set(this.#random.bytes(ivBytes))
    const sealer = createCipheriv(cipher, this.#key, ticket.subarray(0, ivBytes))
    ticket.set(sealer.update(plain), ivBytes)
    sealer.final()
    ticket.set(sealer.getAuthTag(), ivBytes + plainBytes)
    return ticket
  }

  /** Undefined for bytes that this sealer has not made. */
  open(ticket: Uint8Array): TicketContents | undefined {
    if (ticket.length !== ticketBytes) return undefined
    const opener = createDecipheriv(cipher, this.#key, ticket.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    })
    opener.setAuthTag(ticket.subarray(ivBytes + plainBytes))
    const plain = opener.update(ticket.subarray(ivBytes, ivBytes + plainBytes))
    try {
      opener.final()
    } catch {
      return undefined
    }
    return { handle: readUint32(plain, 0) * 2 ** 32 + readUint32(plain, 4), generation: readUint32(plain, 8) }
  }
}

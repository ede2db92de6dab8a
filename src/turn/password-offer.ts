/** Which password algorithms the server offers, and which one a request has chosen (RFC 8489 §9.2.1, §9.2.4, §18.5). */

import type { Attribute } from '../stun/attributes.ts'
import { readUint32, writeUint32 } from '../stun/bytes.ts'
import type { Message } from '../stun/message.ts'
import { parseNonceCookie } from '../stun/nonce-cookie.ts'
import type { KeyAlgorithm } from './credential.ts'

const algorithmNumbers: Record<KeyAlgorithm, number> = { MD5: 1, 'SHA-256': 2 }

export interface PasswordChoice {
  readonly algorithm: KeyAlgorithm
  /** Whether the client knows of algorithms at all: then it is answered by SHA-256. */
  readonly isExplicit: boolean
}

/** Neither PASSWORD-ALGORITHMS nor PASSWORD-ALGORITHM: a client of RFC 5389, or one that acts as such. */
const unchosen: PasswordChoice = { algorithm: 'MD5', isExplicit: false }

export class PasswordOffer {
  readonly #algorithms: readonly KeyAlgorithm[]
  /** The value of PASSWORD-ALGORITHMS: four bytes for each, for none has parameters. */
  readonly #bytes: Uint8Array

  constructor(algorithms: readonly KeyAlgorithm[]) {
    this.#algorithms = algorithms
    this.#bytes = new Uint8Array(algorithms.length * 4)
    algorithms.forEach((algorithm, i) => {
      writeUint32(this.#bytes, i * 4, algorithmNumbers[algorithm] * 0x10000)
    })
  }

  get isEmpty(): boolean {
    return this.#algorithms.length === 0
  }

  /** What every challenge carries: the list, or nothing. */
  get attributes(): Attribute[] {
    if (this.isEmpty) return []
    const parameters = new Uint8Array(0)
    const list = this.#algorithms.map((name) => ({ algorithm: algorithmNumbers[name], parameters }))
    return [['PASSWORD-ALGORITHMS', list]]
  }

  /**
   * What the request has chosen; no choice at all is MD5. Undefined for a choice that is not one of ours, or comes with
   * another list than the one that went out with the nonce: a bad request, for somebody on the way has changed it.
   */
  choiceOf(message: Message, nonce: Uint8Array): PasswordChoice | undefined {
    const list = message.raw('PASSWORD-ALGORITHMS')
    const choice = message.raw('PASSWORD-ALGORITHM')
    if (list === undefined && choice === undefined) return unchosen
    const cookie = parseNonceCookie(String.fromCharCode(...nonce.subarray(0, 13)))
    if (cookie?.passwordAlgorithms !== true) return unchosen
    if (list === undefined || choice === undefined || !this.#isOurs(list) || choice.length !== 4)
      return undefined
    const number = readUint32(choice, 0)
    const algorithm = this.#algorithms.find((offered) => algorithmNumbers[offered] * 0x10000 === number)
    return algorithm === undefined ? undefined : { algorithm, isExplicit: true }
  }

  #isOurs(list: Uint8Array): boolean {
    return list.length === this.#bytes.length && list.every((byte, i) => byte === this.#bytes[i])
  }
}

/** The words of a TURN client on a stream, whoever carries them: bytes out of requests, messages out of bytes. */

import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { StreamFramer } from '../../src/stun/stream-framing.ts'

export const streamUser = { name: 'alice', password: 'wonder' }

export class StreamSpeaker {
  /** Messages from the server, ChannelData among them, as they came. */
  readonly received: Uint8Array[] = []
  readonly #framer = new StreamFramer()
  #nonce = ''
  #realm = ''
  #transactions = 0

  hear(bytes: Uint8Array): void {
    this.#framer.push(bytes)
    for (let message = this.#framer.next(); message !== undefined; message = this.#framer.next()) {
      this.received.push(message)
    }
  }

  get isChallenged(): boolean {
    return this.#nonce !== ''
  }

  takeChallenge(message: Message): void {
    this.#nonce = message.get('NONCE')!
    this.#realm = message.get('REALM')!
  }

  encode(method: MethodName, attributes: readonly Attribute[], isSigned = true): Uint8Array {
    const transactionId = new Uint8Array(12)
    transactionId[11] = ++this.#transactions
    if (!isSigned) return encodeMessage({ class: 'request', method, transactionId, attributes })
    const credentials: Attribute[] = [
      ['USERNAME', streamUser.name],
      ['REALM', this.#realm],
      ['NONCE', this.#nonce],
    ]
    const key = longTermKey(streamUser.name, this.#realm, streamUser.password)
    return encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...credentials] },
      { integrity: [{ algorithm: 'sha1', key }] },
    )
  }

  /** A message that was received, which has to be one of STUN. */
  message(index: number): Message {
    const message = decodeMessage(this.received.at(index)!)
    if (typeof message === 'string') throw new Error(message)
    return message
  }
}

/** ChannelData as it stands on a stream, padded. */
export function channelData(number: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((data.length + 3) & ~3))
  bytes.set([number >> 8, number & 255, data.length >> 8, data.length & 255])
  bytes.set(data, 4)
  return bytes
}

/** Requests to a real server by UDP, one at a time, each sent again until it is answered. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import type { IntegrityKey } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'

export const udpAllocate: readonly Attribute[] = [['REQUESTED-TRANSPORT', 17]]

export class UdpRequests {
  readonly #socket: Socket = createSocket('udp4')
  readonly #port: number
  #timer: NodeJS.Timeout | undefined

  /** To 127.0.0.1, from there or from another loopback address. */
  constructor(port: number, from = '127.0.0.1') {
    this.#port = port
    this.#socket.bind({ address: from })
  }

  async ask(
    method: MethodName,
    attributes: readonly Attribute[],
    integrity: readonly IntegrityKey[] = [],
  ): Promise<Message> {
    const transactionId = crypto.getRandomValues(new Uint8Array(12))
    const bytes = encodeMessage({ class: 'request', method, transactionId, attributes }, { integrity })
    const send = () => this.#socket.send(bytes, this.#port, '127.0.0.1')
    send()
    this.#timer = setInterval(send, 500)
    try {
      for (;;) {
        const [answer] = (await once(this.#socket, 'message')) as [Buffer]
        const message = decodeMessage(new Uint8Array(answer))
        if (typeof message === 'string') throw new Error(message)
        if (Buffer.compare(message.transactionId, transactionId) === 0) return message
      }
    } finally {
      clearInterval(this.#timer)
    }
  }

  /** Allocate with a password, after the challenge. */
  async allocate(username: string, password: string, more: readonly Attribute[] = []): Promise<Message> {
    const challenge = await this.ask('Allocate', udpAllocate)
    const realm = challenge.get('REALM')!
    const credentials: Attribute[] = [
      ['USERNAME', username],
      ['REALM', realm],
      ['NONCE', challenge.get('NONCE')!],
    ]
    const key = longTermKey(username, realm, password)
    return this.ask('Allocate', [...udpAllocate, ...more, ...credentials], [{ algorithm: 'sha1', key }])
  }

  /** A request that waits for its answer waits for ever. */
  close(): void {
    clearInterval(this.#timer)
    this.#socket.close()
  }
}

/** Requests signed in every way that RFC 8489 §9.2 knows, right and wrong. */

import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { checkIntegrity, type IntegrityKey, integritySize, writeIntegrity } from '../../src/stun/integrity.ts'
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { listener, TurnClient, type TurnHarness } from './turn-harness.ts'

export const allocateUdp: readonly Attribute[] = [['REQUESTED-TRANSPORT', 17]]

/** PASSWORD-ALGORITHMS or PASSWORD-ALGORITHM of these numbers, without parameters. */
export function algorithms(...numbers: number[]): Attribute {
  return ['PASSWORD-ALGORITHMS', numbers.map((algorithm) => ({ algorithm, parameters: new Uint8Array(0) }))]
}

export function algorithm(number: number): Attribute {
  return ['PASSWORD-ALGORITHM', { algorithm: number, parameters: new Uint8Array(0) }]
}

export interface SignedRequest {
  readonly method?: MethodName
  readonly attributes?: readonly Attribute[]
  readonly integrity?: readonly IntegrityKey[]
  readonly transactionId?: Uint8Array
  /** USERNAME, as the first attribute, whatever the bytes. */
  readonly username?: Uint8Array
}

/** A client that says exactly what a test tells it to. */
export class RawClient {
  readonly harness: TurnHarness
  readonly #client: TurnClient

  constructor(harness: TurnHarness, address = harness.newAddress(), socket = listener) {
    this.harness = harness
    this.#client = new TurnClient(harness, address, 'nobody', 'nothing', socket)
  }

  get address() {
    return this.#client.address
  }

  encode(request: SignedRequest): Uint8Array {
    const { method = 'Allocate', attributes = [], integrity = [], transactionId, username } = request
    const all = method === 'Allocate' ? [...allocateUdp, ...attributes] : attributes
    const bytes = encodeMessage({
      class: 'request',
      method,
      transactionId: transactionId ?? this.harness.random.bytes(12),
      attributes: username === undefined ? all : [['DATA', username], ...all],
    })
    // Any bytes may be a name here: they are encoded as DATA, which is renamed before it is signed.
    if (username !== undefined) bytes.set([0, 0x06], 20)
    return signed(bytes, integrity)
  }

  /** The one answer; undefined for silence. */
  send(request: SignedRequest): Message | undefined {
    return this.#client.exchange(this.encode(request))
  }

  exchange(bytes: Uint8Array): Message | undefined {
    return this.#client.exchange(bytes)
  }

  /** What has been sent to it since it last said something; undefined for silence. */
  lastAnswer(): Message | undefined {
    return this.#client.lastAnswer()
  }

  /** The 401 to a request without credentials. */
  challenge(): Message {
    const answer = this.send({})
    if (answer === undefined) throw new Error('no challenge')
    return answer
  }
}

/** Which integrity the message carries that is right under the key; undefined for none. */
export function signatureOf(message: Message | undefined, key: Uint8Array): 'sha1' | 'sha256' | undefined {
  if (message === undefined) return undefined
  if (checkIntegrity(message, { algorithm: 'sha1', key })) return 'sha1'
  return checkIntegrity(message, { algorithm: 'sha256', key }) ? 'sha256' : undefined
}

export function hasIntegrity(message: Message): boolean {
  return message.integrityOffset >= 0 || message.integritySha256Offset >= 0
}

function signed(message: Uint8Array, integrity: readonly IntegrityKey[]): Uint8Array {
  const size = integrity.reduce((sum, key) => sum + integritySize(key), message.length)
  const bytes = new Uint8Array(size)
  bytes.set(message)
  integrity.reduce((offset, key) => writeIntegrity(bytes, offset, key), message.length)
  return bytes
}

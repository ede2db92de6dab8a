/** A TURN client on a socket of single system calls: for what dgram neither sets nor shows of a packet. */

import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import type { KernelLab, ReceivedMessage } from './kernel-lab.ts'
import { until } from './until.ts'

const user = 'alice'
const password = 'a'

export class LabTurnClient {
  readonly fd: number
  readonly address: TransportAddress
  readonly #lab: KernelLab
  readonly #server: TransportAddress
  #credentials: readonly Attribute[] = []
  #key: Uint8Array | undefined

  constructor(lab: KernelLab, server: TransportAddress) {
    const { fd, address } = lab.socket(server.family)
    this.fd = fd
    this.address = address
    this.#lab = lab
    this.#server = server
  }

  async allocate(...more: readonly Attribute[]): Promise<TransportAddress> {
    const challenge = await this.#ask('Allocate', [])
    const realm = challenge.get('REALM')!
    this.#credentials = [
      ['USERNAME', user],
      ['REALM', realm],
      ['NONCE', challenge.get('NONCE')!],
    ]
    this.#key = longTermKey(user, realm, password)
    const answer = await this.request('Allocate', [['REQUESTED-TRANSPORT', 17], ...more])
    return answer.get('XOR-RELAYED-ADDRESS')!
  }

  /** Rejects with the error code if the answer is an error. */
  async request(method: MethodName, attributes: readonly Attribute[]): Promise<Message> {
    const answer = await this.#ask(method, attributes)
    if (answer.class !== 'success') throw new Error(`${method}: ${answer.get('ERROR-CODE')?.code}`)
    return answer
  }

  send(bytes: Uint8Array): void {
    this.#lab.send(this.fd, this.#server, bytes)
  }

  sendIndication(peer: TransportAddress, data: Uint8Array, ...more: readonly Attribute[]): void {
    const attributes: Attribute[] = [['XOR-PEER-ADDRESS', peer], ['DATA', data], ...more]
    this.send(
      encodeMessage({ class: 'indication', method: 'Send', transactionId: new Uint8Array(12), attributes }),
    )
  }

  receive(): Promise<ReceivedMessage> {
    return nextMessage(this.#lab, this.fd)
  }

  async #ask(method: MethodName, attributes: readonly Attribute[]): Promise<Message> {
    const transactionId = crypto.getRandomValues(new Uint8Array(12))
    const key = this.#key
    this.send(
      encodeMessage(
        { class: 'request', method, transactionId, attributes: [...attributes, ...this.#credentials] },
        { integrity: key === undefined ? [] : [{ algorithm: 'sha1', key }] },
      ),
    )
    for (;;) {
      const message = decodeMessage((await this.receive()).bytes)
      if (typeof message === 'string') continue
      if (Buffer.compare(message.transactionId, transactionId) === 0) return message
    }
  }
}

/** The next datagram that comes to the socket. */
export async function nextMessage(lab: KernelLab, fd: number): Promise<ReceivedMessage> {
  let received: ReceivedMessage | string = ''
  await until(() => {
    received = lab.receive(fd)
    return typeof received !== 'string'
  }, 'a datagram')
  return received as unknown as ReceivedMessage
}

/** A TURN client on a real UDP socket, one request at a time, each sent again until it is answered. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'

export class UdpTurnClient {
  readonly #socket: Socket
  readonly #server: TransportAddress
  readonly #username: string
  readonly #password: string
  #realm = ''
  #nonce = ''
  #isClosed = false
  /** What has come that is no answer. */
  readonly received: Buffer[] = []
  /** Where the newest answer has come from. */
  answeredFrom: TransportAddress | undefined

  /** To a server on loopback, from a port of the system's choice. */
  static async open(server: TransportAddress, username = 'alice', password = 'a'): Promise<UdpTurnClient> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new UdpTurnClient(socket, server, username, password)
  }

  private constructor(socket: Socket, server: TransportAddress, username: string, password: string) {
    this.#socket = socket
    this.#server = server
    this.#username = username
    this.#password = password
    socket.on('message', (bytes) => {
      const message = decodeMessage(new Uint8Array(bytes))
      const isAnswer =
        typeof message !== 'string' && (message.class === 'success' || message.class === 'error')
      if (!isAnswer) this.received.push(bytes)
    })
  }

  get address(): TransportAddress {
    return TransportAddress.of('127.0.0.1', this.#socket.address().port)
  }

  /** The answer to an authenticated request, its nonce renewed once if need be. */
  async request(method: MethodName, attributes: readonly Attribute[]): Promise<Message> {
    if (this.#nonce === '') this.#learn(await this.#ask(method, attributes, undefined))
    const credentials: Attribute[] = [
      ['USERNAME', this.#username],
      ['REALM', this.#realm],
      ['NONCE', this.#nonce],
    ]
    const key = longTermKey(this.#username, this.#realm, this.#password)
    return this.#ask(method, [...attributes, ...credentials], key)
  }

  /** The relayed transport address; throws with the error code if there is none. */
  async allocate(more: readonly Attribute[] = []): Promise<TransportAddress> {
    const answer = await this.request('Allocate', [['REQUESTED-TRANSPORT', 17], ...more])
    const relayed = answer.get('XOR-RELAYED-ADDRESS')
    if (relayed === undefined) throw new Error(`Allocate: ${answer.get('ERROR-CODE')?.code}`)
    return relayed
  }

  async must(method: MethodName, attributes: readonly Attribute[]): Promise<Message> {
    const answer = await this.request(method, attributes)
    if (answer.class !== 'success') throw new Error(`${method}: ${answer.get('ERROR-CODE')?.code}`)
    return answer
  }

  /** The answer to a Binding request. */
  binding(attributes: readonly Attribute[]): Promise<Message> {
    return this.#ask('Binding', attributes, undefined)
  }

  /** Ends what it has at the server, if that is anything, and itself. */
  async release(): Promise<void> {
    if (this.#nonce !== '') await this.request('Refresh', [['LIFETIME', 0]])
    this.close()
  }

  async bindChannel(number: number, peer: TransportAddress): Promise<void> {
    await this.must('ChannelBind', [
      ['CHANNEL-NUMBER', number],
      ['XOR-PEER-ADDRESS', peer],
    ])
  }

  sendChannelData(number: number, data: Uint8Array): void {
    const header = [number >> 8, number & 255, data.length >> 8, data.length & 255]
    this.#send(Uint8Array.of(...header, ...data))
  }

  /** Waits until so much has come that is no answer. */
  async untilReceived(count: number): Promise<void> {
    while (this.received.length < count) await once(this.#socket, 'message')
  }

  close(): void {
    this.#isClosed = true
    this.#socket.close()
  }

  #learn(challenge: Message): void {
    this.#realm = challenge.get('REALM') ?? ''
    this.#nonce = challenge.get('NONCE') ?? ''
  }

  async #ask(
    method: MethodName,
    attributes: readonly Attribute[],
    key: Uint8Array | undefined,
  ): Promise<Message> {
    const transactionId = crypto.getRandomValues(new Uint8Array(12))
    const integrity = key === undefined ? [] : [{ algorithm: 'sha1' as const, key }]
    const bytes = encodeMessage({ class: 'request', method, transactionId, attributes }, { integrity })
    this.#send(bytes)
    const timer = setInterval(() => this.#send(bytes), 500)
    try {
      for (;;) {
        const [answer, from] = (await once(this.#socket, 'message')) as [Buffer, RemoteInfo]
        const message = decodeMessage(new Uint8Array(answer))
        if (typeof message === 'string') continue
        if (Buffer.compare(message.transactionId, transactionId) !== 0) continue
        this.answeredFrom = TransportAddress.of(from.address, from.port)
        return message
      }
    } finally {
      clearInterval(timer)
    }
  }

  #send(bytes: Uint8Array): void {
    const { port, ip } = this.#server
    if (!this.#isClosed) this.#socket.send(bytes, port, ip, () => {})
  }
}

/** A TurnServer with one client: an allocation, a channel, and requests that are always the same bytes. */

import { randomBytes } from 'node:crypto'
import { datagramOf, socketId } from '../../src/core/sans-io.ts'
import { instant } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { staticCredentials } from '../../src/turn/credentials.ts'
import { PeerPolicy } from '../../src/turn/peer-policy.ts'
import type { Route } from '../../src/turn/route.ts'
import { TurnServer } from '../../src/turn/server.ts'

const realm = 'example.org'
const listening = TransportAddress.of('198.51.100.1', 3478)
const relay = TransportAddress.of('198.51.100.1', 0)
const client = TransportAddress.of('203.0.113.5', 50_000)
const peer = TransportAddress.of('8.8.4.4', 5000)
const socket = socketId(0)
const now = instant(1000)
const key = longTermKey('alice', realm, 'wonder')

export class BenchedEngine {
  readonly #server: TurnServer
  readonly #refresh: Uint8Array
  readonly #channelData = Uint8Array.of(0x40, 0x00, 0, 172, ...new Uint8Array(172))
  #nonce = ''

  constructor() {
    this.#server = new TurnServer(
      {
        realm,
        credentials: staticCredentials(realm, [{ name: 'alice', password: 'wonder' }]),
        relays: [{ address: relay, external: relay }],
        relayPorts: { min: 50_000, max: 50_999 },
        peerPolicy: new PeerPolicy({ allow: [], deny: [] }),
        ownAddresses: [listening],
      },
      { bytes: (length) => new Uint8Array(randomBytes(length)) },
    )
    this.#server.addListener(socket, listening)
    this.#nonce = this.#exchange(this.#encode('Allocate', [['REQUESTED-TRANSPORT', 17]])).get('NONCE') ?? ''
    this.#must('Allocate', ['REQUESTED-TRANSPORT', 17])
    this.#must('ChannelBind', ['CHANNEL-NUMBER', 0x4000], ['XOR-PEER-ADDRESS', peer])
    this.#refresh = this.#encode('Refresh', [['LIFETIME', 600]])
  }

  /** A ChannelData message from the client, to the route it is forwarded by. */
  channelData(): Route {
    const route = this.#server.handleDatagram(datagramOf(socket, client, this.#channelData), now)
    if (route === undefined) throw new Error('the engine gave no route')
    return route
  }

  /** A Refresh: decoded, nonce and integrity checked, carried out, answered and signed. */
  refresh(): Uint8Array {
    this.#server.handleDatagram(datagramOf(socket, client, this.#refresh), now)
    const output = this.#server.poll()
    if (output?.type !== 'transmit') throw new Error('the engine gave no answer')
    return output.bytes
  }

  #must(method: MethodName, ...attributes: Attribute[]): void {
    const answer = this.#exchange(this.#encode(method, attributes))
    if (answer.class !== 'success') throw new Error(`${method}: ${answer.get('ERROR-CODE')?.code}`)
  }

  #encode(method: MethodName, attributes: readonly Attribute[]): Uint8Array {
    const credentials: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', realm],
      ['NONCE', this.#nonce],
    ]
    const transactionId = new Uint8Array(randomBytes(12))
    return encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...credentials] },
      { integrity: [{ algorithm: 'sha1', key }] },
    )
  }

  /** Hands in one request and carries out what the engine asks for, until it has answered. */
  #exchange(bytes: Uint8Array): Message {
    this.#server.handleDatagram(datagramOf(socket, client, bytes), now)
    for (;;) {
      const output = this.#server.poll()
      if (output === undefined) throw new Error('the engine gave no answer')
      if (output.type === 'bind-relay') this.#server.relayBound(output.socket, now)
      if (output.type !== 'transmit') continue
      const message = decodeMessage(output.bytes)
      if (typeof message === 'string') throw new Error(message)
      return message
    }
  }
}

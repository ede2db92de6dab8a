/** A TurnServer with many clients, each with an allocation and a channel, and packets that are always the same bytes. */

import { randomBytes } from 'node:crypto'
import { type Datagram, datagramOf, type SocketId, socketId } from '../../src/core/sans-io.ts'
import { instant } from '../../src/core/time.ts'
import { type AddressWords, TransportAddress } from '../../src/core/transport-address.ts'
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
/** The ports of one address are not enough for 100,000 allocations. */
const relays = [1, 2, 3].map((host) => TransportAddress.of(`198.51.100.${host}`, 0))
const peer = TransportAddress.of('8.8.4.4', 5000)
const stranger = TransportAddress.of('9.9.9.9', 5000)
const socket = socketId(0)
const now = instant(1000)
const key = longTermKey('alice', realm, 'wonder')
const payload = new Uint8Array(172)
const channelData = Uint8Array.of(0x40, 0x00, 0, payload.length, ...payload)

/** What can come in for one of the clients. */
export interface ClientPackets {
  readonly client: TransportAddress
  readonly channelData: Datagram
  readonly fromPeer: Datagram
  /** From somebody whom the client has permitted nothing. */
  readonly fromStranger: Datagram
}

export class BenchedEngine {
  readonly #server: TurnServer
  readonly clients: ClientPackets[] = []
  readonly #refresh: Datagram
  #nonce = ''
  #bound: SocketId | undefined

  constructor(clients = 1) {
    this.#server = new TurnServer(
      {
        realm,
        credentials: staticCredentials(realm, [{ name: 'alice', password: 'wonder' }]),
        relays: relays.map((address) => ({ address, external: address })),
        relayPorts: { min: 1024, max: 65_535 },
        peerPolicy: new PeerPolicy({ allow: [], deny: [] }),
        ownAddresses: [listening],
      },
      { bytes: (length) => new Uint8Array(randomBytes(length)) },
    )
    this.#server.addListener(socket, listening)
    for (let i = 0; i < clients; i++) {
      // As clients come: of any address, and any port of it.
      const client = TransportAddress.of(
        `203.${(i >> 12) & 255}.${(i >> 4) & 255}.${i & 15}`,
        20_000 + (i % 40_000),
      )
      this.clients.push(this.#connect(client))
    }
    const { client } = this.clients.at(-1)!
    this.#refresh = datagramOf(socket, client, this.#encode('Refresh', [['LIFETIME', 600]]))
  }

  /** To the route that it is forwarded by; undefined if it is dropped. */
  handle(datagram: Datagram): Route | undefined {
    return this.#server.handleDatagram(datagram, now)
  }

  /** Whether the client has an allocation: the look-up that every packet of a client begins with. */
  has(client: AddressWords): boolean {
    return this.#server.hasAllocation(socket, client)
  }

  /** A Refresh: decoded, nonce and integrity checked, carried out, answered and signed. */
  refresh(): Uint8Array {
    this.#server.handleDatagram(this.#refresh, now)
    const output = this.#server.poll()
    if (output?.type !== 'transmit') throw new Error('the engine gave no answer')
    return output.bytes
  }

  #connect(client: TransportAddress): ClientPackets {
    this.#nonce = this.#exchange(client, this.#encode('Allocate', [['REQUESTED-TRANSPORT', 17]])).get(
      'NONCE',
    )!
    this.#must(client, 'Allocate', ['REQUESTED-TRANSPORT', 17])
    const relay = this.#bound!
    this.#must(client, 'ChannelBind', ['CHANNEL-NUMBER', 0x4000], ['XOR-PEER-ADDRESS', peer])
    return {
      client,
      channelData: datagramOf(socket, client, channelData),
      fromPeer: datagramOf(relay, peer, payload),
      fromStranger: datagramOf(relay, stranger, payload),
    }
  }

  #must(client: TransportAddress, method: MethodName, ...attributes: Attribute[]): void {
    const answer = this.#exchange(client, this.#encode(method, attributes))
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
  #exchange(client: TransportAddress, bytes: Uint8Array): Message {
    this.#server.handleDatagram(datagramOf(socket, client, bytes), now)
    for (;;) {
      const output = this.#server.poll()
      if (output === undefined) throw new Error('the engine gave no answer')
      if (output.type === 'bind-relay') {
        this.#bound = output.socket
        this.#server.relayBound(output.socket, now)
      }
      if (output.type !== 'transmit') continue
      const message = decodeMessage(output.bytes)
      if (typeof message === 'string') throw new Error(message)
      return message
    }
  }
}

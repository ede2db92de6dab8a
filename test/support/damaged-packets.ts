/**
 * Damaged, forged and merely odd packets, for a TURN server to make what it likes of. Half of the damage is done before
 * a request is signed, so that it gets past the credentials. Everything is drawn from one source.
 */

import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { writeIntegrity } from '../../src/stun/integrity.ts'
import { type MessageClass, type MethodName, methods } from '../../src/stun/methods.ts'
import type { seededRandom } from './random.ts'

/** Who a packet is from. */
export interface Sender {
  readonly username: string
  readonly key: Uint8Array
  readonly nonce: string | undefined
}

type Damage = 'none' | 'before-signing' | 'after-signing'

/** Peers that the default policy refuses, or that are no peers at all. */
export const oddPeers = [
  '127.0.0.1:80',
  '0.0.0.0:1',
  '169.254.169.254:80',
  '10.0.0.1:1',
  '255.255.255.255:1',
  '[::1]:80',
  '[::]:1',
  '[fe80::1]:1',
  '[2002:7f00:1::1]:1',
  '[64:ff9b::a9fe:a9fe]:1',
].map((address) => TransportAddress.parse(address))

export class DamagedPackets {
  readonly #random: ReturnType<typeof seededRandom>
  readonly #realm: string
  readonly #peers: readonly TransportAddress[]
  readonly #portsBelow: number
  readonly #usual: Record<MethodName, readonly Attribute[]>

  /** `peers` are those that packets may be bound for, at these ports or at others below `portsBelow`. */
  constructor(
    random: ReturnType<typeof seededRandom>,
    realm: string,
    peers: readonly [TransportAddress, ...TransportAddress[]],
    portsBelow = 65_536,
  ) {
    this.#random = random
    this.#realm = realm
    this.#peers = peers
    this.#portsBelow = portsBelow
    this.#usual = usualOf(peers[0])
  }

  /** A message or ChannelData, as it should be or not. */
  packet(client: Sender): Uint8Array {
    const random = this.#random
    const damage = this.#pick<Damage>(['none', 'before-signing', 'before-signing', 'after-signing'])
    let bytes = random.below(5) === 0 ? this.channelData() : this.#message(client, damage)
    if (damage === 'after-signing') bytes = this.damaged(bytes)
    return bytes
  }

  channelData(): Uint8Array {
    const length = this.#random.below(40)
    const number = 0x4000 + this.#random.below(3)
    return Uint8Array.of(number >> 8, number & 255, 0, length, ...this.#random.bytes(length))
  }

  #message(client: Sender, damage: Damage): Uint8Array {
    const random = this.#random
    const messageClass = this.#pick<MessageClass>([
      'request',
      'request',
      'request',
      'indication',
      'success',
      'error',
    ])
    const method = this.#pick([
      ...(Object.keys(methods) as MethodName[]),
      'Allocate',
      'Refresh',
      'CreatePermission',
      'ChannelBind',
      'Send',
    ] as const)
    const attributes = Array.from({ length: random.below(5) }, () => this.#attribute())
    if (random.below(3) === 0) attributes.push(...this.#usual[method])
    const credentials: Attribute[] = [
      ['USERNAME', client.username],
      ['REALM', this.#realm],
      ['NONCE', random.below(8) === 0 ? `${'A'.repeat(33)}\u00e9` : (client.nonce ?? '')],
    ]
    const isSigned = random.below(6) > 0
    let bytes = encodeMessage({
      class: messageClass,
      method,
      transactionId: random.bytes(12),
      attributes: isSigned ? [...attributes, ...credentials] : attributes,
    })
    if (damage === 'before-signing') bytes = this.damaged(bytes)
    if (!isSigned || bytes.length < 20) return bytes
    const signed = new Uint8Array(bytes.length + 24)
    signed.set(bytes)
    writeIntegrity(signed, bytes.length, { algorithm: 'sha1', key: client.key })
    return signed
  }

  #attribute(): Attribute {
    const random = this.#random
    const peer = this.#pick([...this.#peers, ...oddPeers])
    return this.#pick<Attribute>([
      ['XOR-PEER-ADDRESS', peer],
      ['XOR-PEER-ADDRESS', peer.withPort(random.below(this.#portsBelow))],
      ['CHANNEL-NUMBER', 0x4000 + random.below(5)],
      ['CHANNEL-NUMBER', random.below(65_536)],
      ['LIFETIME', this.#pick([0, 1, 600, 2 ** 31, 2 ** 32 - 1])],
      ['DATA', random.bytes(random.below(50))],
      ['REQUESTED-TRANSPORT', this.#pick([17, 6, 0])],
      ['REQUESTED-ADDRESS-FAMILY', this.#pick(['IPv4', 'IPv6', 0] as const)],
      ['ADDITIONAL-ADDRESS-FAMILY', this.#pick(['IPv4', 'IPv6'] as const)],
      ['EVEN-PORT', { reserveNext: random.below(2) === 0 }],
      ['RESERVATION-TOKEN', random.bytes(8)],
      ['DONT-FRAGMENT', true],
      ['SOFTWARE', 'fuzz'],
      ['USERHASH', random.bytes(32)],
      ['ACCESS-TOKEN', random.bytes(random.below(60))],
      ['PASSWORD-ALGORITHM', { algorithm: random.below(3), parameters: random.bytes(random.below(5)) }],
      ['PASSWORD-ALGORITHMS', [{ algorithm: 2, parameters: text('') }]],
      ['ERROR-CODE', { code: 401, reason: 'no' }],
      ['PRIORITY', 1],
    ])
  }

  /** Flips, overwrites, cuts, lengthens, repeats; mostly with a length field that goes with it. */
  damaged(original: Uint8Array): Uint8Array {
    const random = this.#random
    let bytes = original.slice()
    for (let count = random.below(4); count >= 0; count--) {
      const at = random.below(bytes.length || 1)
      switch (random.below(7)) {
        case 0:
          bytes[at]! ^= 1 << random.below(8)
          break
        case 1:
          bytes[at] = this.#pick([0, 1, 3, 4, 0x7f, 0x80, 0xff])
          break
        case 2:
          bytes = bytes.slice(0, random.below(bytes.length + 1))
          break
        case 3:
          bytes = new Uint8Array([...bytes, ...random.bytes(random.below(12))])
          break
        case 4:
          bytes = new Uint8Array([...bytes.slice(0, at & ~3), ...bytes.slice(at & ~3), ...bytes.slice(20)])
          break
        case 5:
          // The length of an attribute, wherever one may start.
          if (bytes.length >= 24) bytes[20 + (random.below(bytes.length - 20) & ~3) + 3] = random.below(256)
          break
        default:
          bytes.set(random.bytes(random.below(5)).subarray(0, bytes.length - at), at)
      }
    }
    if (random.below(4) > 0 && bytes.length >= 20 && bytes.length < 60_000) {
      bytes = bytes.slice(0, bytes.length & ~3)
      bytes.set([(bytes.length - 20) >> 8, (bytes.length - 20) & 255], 2)
      bytes.set([0x21, 0x12, 0xa4, 0x42], 4)
    }
    return bytes
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#random.below(values.length)]!
  }
}

/** What a well-behaved client sends with the method. */
function usualOf(peer: TransportAddress): Record<MethodName, readonly Attribute[]> {
  return {
    Binding: [],
    Allocate: [['REQUESTED-TRANSPORT', 17]],
    Refresh: [['LIFETIME', 600]],
    CreatePermission: [['XOR-PEER-ADDRESS', peer]],
    ChannelBind: [
      ['CHANNEL-NUMBER', 0x4001],
      ['XOR-PEER-ADDRESS', peer.withPort(9)],
    ],
    Send: [
      ['XOR-PEER-ADDRESS', peer],
      ['DATA', text('hello')],
    ],
    Data: [],
    Connect: [['XOR-PEER-ADDRESS', peer]],
    ConnectionBind: [['CONNECTION-ID', 1]],
    ConnectionAttempt: [],
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

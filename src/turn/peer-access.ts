/**
 * Whether a peer address may be relayed to, our own addresses considered: a relayed address of ours is a peer
 * like any other (two clients of one server), a listening port of ours never is, and nothing else on this host
 * is reached through an address of our own unless the operator allows that range by name.
 */

import { AddressTable } from '../core/address-table.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import type { AddressWords } from '../core/transport-address.ts'
import type { TurnServerOptions } from './options.ts'
import type { PeerPolicy } from './peer-policy.ts'

/** `inside`: only as one of our own relayed addresses, which is reached without the network. */
export type PeerVerdict = 'outside' | 'inside' | 'forbidden'

export class PeerAccess {
  readonly #policy: PeerPolicy
  readonly #ports: { readonly min: number; readonly max: number }
  /** What stands of each of our own addresses: the policy does not change. */
  readonly #ownIps: AddressTable<PeerVerdict>
  readonly #listening: AddressTable<true>

  constructor(options: TurnServerOptions, random: Random) {
    this.#policy = options.peerPolicy
    this.#ports = options.relayPorts
    this.#ownIps = new AddressTable(randomUint32(random))
    this.#listening = new AddressTable(randomUint32(random))
    for (const address of options.ownAddresses) this.addListening(address)
    for (const { address, external } of options.relays) {
      this.#addOwnIp(address)
      this.#addOwnIp(external)
    }
  }

  addListening(address: AddressWords): void {
    this.#addOwnIp(address)
    this.#listening.set(0, address, true)
  }

  isListening(address: AddressWords): boolean {
    return this.#listening.get(0, address) !== undefined
  }

  isOwnIp(address: AddressWords): boolean {
    return this.#ownIps.getIp(0, address) !== undefined
  }

  /** Judges an IP address of our own; undefined for any other. */
  judgeOwnIp(peer: AddressWords): PeerVerdict | undefined {
    return this.#ownIps.getIp(0, peer)
  }

  /** Judges the IP address alone, for a permission. */
  judgeIp(peer: AddressWords): PeerVerdict {
    return this.judgeOwnIp(peer) ?? (this.#policy.allows(peer) ? 'outside' : 'forbidden')
  }

  /** Judges address and port, for a channel or a packet. Port 0 is nobody's. */
  judge(peer: AddressWords): PeerVerdict {
    if (peer.port === 0 || this.isListening(peer)) return 'forbidden'
    const verdict = this.judgeIp(peer)
    const isRelayPort = peer.port >= this.#ports.min && peer.port <= this.#ports.max
    return verdict === 'inside' && !isRelayPort ? 'forbidden' : verdict
  }

  #addOwnIp(address: AddressWords): void {
    const isAllowed = this.#policy.allows(address)
    const outside = isAllowed ? 'outside' : 'forbidden'
    this.#ownIps.setIp(0, address, this.#policy.names(address) ? outside : 'inside')
  }
}

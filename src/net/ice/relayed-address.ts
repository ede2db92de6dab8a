/** One relayed transport address as a base: what it sends goes through its allocation. */

import type { SocketId } from '../../core/sans-io.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { TurnConnection } from '../turn-connection.ts'
import type { IceBase, IceBases } from './base.ts'

export class RelayedAddress implements IceBase {
  readonly address: TransportAddress
  id: SocketId | undefined
  readonly #bases: IceBases
  readonly #turn: TurnConnection
  readonly #permitted = new Set<string>()
  readonly #channels = new Set<string>()
  #lastSentTo: TransportAddress | undefined

  constructor(bases: IceBases, turn: TurnConnection, address: TransportAddress) {
    this.#bases = bases
    this.#turn = turn
    this.address = address
  }

  /**
   * A channel for a peer that has not been sent to before: its request goes ahead of the data, and no round trip is
   * lost. Where leave has been given already the data needs no channel yet.
   */
  send(bytes: Uint8Array, destination: AddressWords): boolean {
    if (destination !== this.#lastSentTo) {
      const peer = TransportAddress.from(destination)
      this.#lastSentTo = peer
      if (!this.#permitted.has(peer.ip)) this.bindChannel(peer)
    }
    return this.#turn.send(bytes, destination)
  }

  bindChannel(peer: TransportAddress): void {
    const key = `${peer}`
    if (this.#channels.has(key)) return
    this.#channels.add(key)
    this.#turn.bindChannel(peer)
  }

  permitted(peer: TransportAddress): void {
    this.#permitted.add(peer.ip)
  }

  refused(peer: TransportAddress, reason: string): void {
    if (this.id !== undefined) this.#bases.sendFailed(this.id, peer, reason)
  }

  receive(bytes: Uint8Array, peer: AddressWords): void {
    if (this.id !== undefined) this.#bases.receive(this.id, bytes, peer)
  }

  /** The allocation is the relay's to close. */
  close(): void {
    this.id = undefined
  }
}

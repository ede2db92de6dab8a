/**
 * Relayed candidates (RFC 8445 §5.1.1.2): an allocation on every TURN server, each in its own time. A relayed address
 * is a base like any other; that what goes through it is wrapped is known here and nowhere else.
 */

import type { SocketId } from '../../core/sans-io.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { isPrivate } from '../../ice/policy-checks.ts'
import type { ServerUri } from '../../stun/uri.ts'
import type { PeerFailure, TurnFailure } from '../../turn/client/failure.ts'
import type { TurnClientEvent } from '../../turn/client/outputs.ts'
import type { ClientTlsOptions } from '../client-transport.ts'
import type { TurnConnection } from '../turn-connection.ts'
import { dialTurn } from '../turn-dial.ts'
import type { IceBase, IceBases, Lane } from './base.ts'

export interface RelayServer {
  readonly url: string
  readonly uri: ServerUri
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

export interface RelayOptions {
  readonly deadlineMs: number
  readonly tls: ClientTlsOptions | undefined
}

export class Relays {
  readonly #bases: IceBases
  readonly #options: RelayOptions
  readonly #relays = new Set<Relay>()
  /** One address of each host that the peer has told of. */
  readonly #peers = new Map<string, TransportAddress>()
  readonly #ended: () => void

  /** `ended` is called when, after `close`, the last allocation has been given back. */
  constructor(bases: IceBases, options: RelayOptions, ended: () => void) {
    this.#bases = bases
    this.#options = options
    this.#ended = ended
  }

  get isPending(): boolean {
    for (const { isPending } of this.#relays) if (isPending) return true
    return false
  }

  get isEmpty(): boolean {
    return this.#relays.size === 0
  }

  /** Makes an allocation there for each component. */
  addServer(server: RelayServer): void {
    for (const lane of this.#bases.lanes) {
      const relay: Relay = new Relay(this.#bases, server, lane, this.#options, this.#peers, () => {
        this.#relays.delete(relay)
        this.#bases.progressed()
        if (this.isEmpty) this.#ended()
      })
      this.#relays.add(relay)
    }
  }

  /** The peer may send from there: servers have to let it in before it does. */
  permit(peer: TransportAddress): void {
    const { ip } = peer
    if (this.#peers.has(ip)) return
    this.#peers.set(ip, peer)
    for (const relay of this.#relays) relay.permit(peer)
  }

  /** Our addresses have changed. */
  move(): void {
    for (const relay of this.#relays) relay.move()
  }

  /** Gives all allocations back. */
  close(): void {
    for (const relay of [...this.#relays]) relay.close()
  }
}

/** One allocation. */
class Relay {
  readonly #bases: IceBases
  readonly #server: RelayServer
  readonly #lane: Lane
  readonly #peers: ReadonlyMap<string, TransportAddress>
  readonly #ended: () => void
  readonly #turn: TurnConnection
  #addresses: RelayedAddress[] = []
  isPending = true

  constructor(
    bases: IceBases,
    server: RelayServer,
    lane: Lane,
    { deadlineMs, tls }: RelayOptions,
    peers: ReadonlyMap<string, TransportAddress>,
    ended: () => void,
  ) {
    this.#bases = bases
    this.#server = server
    this.#lane = lane
    this.#peers = peers
    this.#ended = ended
    const { uri, credentials } = server
    this.#turn = dialTurn(
      bases.host,
      { uri, credentials, tls, family: 'both', serverDeadlineMs: deadlineMs },
      {
        event: (event) => this.#handle(event),
        data: (bytes, peer) => this.#find(peer)?.receive(bytes, peer),
      },
    )
  }

  permit(peer: TransportAddress): void {
    const relayed = this.#find(peer)?.address
    // No public relay reaches the peer's private network; asking for it would only be refused.
    if (relayed === undefined || (isPrivate(peer) && !isPrivate(relayed))) return
    this.#turn.permit(peer)
  }

  move(): void {
    this.#turn.move()
  }

  close(): void {
    this.#turn.close()
  }

  #find(peer: AddressWords): RelayedAddress | undefined {
    const { family } = TransportAddress.from(peer)
    return this.#addresses.find(({ address }) => address.family === family)
  }

  #handle(event: TurnClientEvent): void {
    switch (event.type) {
      case 'allocated': {
        this.#forget()
        const { relayed, mapped, server } = event.allocation
        for (const address of relayed) this.#open(address, mapped, server)
        for (const peer of this.#peers.values()) this.permit(peer)
        this.#settle()
        return
      }
      case 'allocation-lost':
        this.#forget()
        return
      case 'failed':
        this.#forget()
        this.#bases.serverFailed(this.#server.url, reasonOf(event.failure))
        this.#settle()
        this.#ended()
        return
      case 'closed':
        this.#forget()
        this.#settle()
        this.#ended()
        return
      case 'permission-installed':
        this.#find(event.peer)?.permitted(event.peer)
        return
      case 'permission-refused':
      case 'channel-refused':
        this.#find(event.peer)?.refused(event.peer, reasonOf(event.failure))
        return
      case 'peer-unreachable':
        this.#find(event.peer)?.refused(event.peer, 'EHOSTUNREACH')
        return
      case 'moved':
      case 'channel-bound':
      case 'channel-expired':
        return
    }
  }

  #open(address: TransportAddress, mapped: TransportAddress | undefined, server: TransportAddress): void {
    const relayed = new RelayedAddress(this.#bases, this.#turn, address)
    relayed.id = this.#bases.add(relayed, this.#lane)
    this.#addresses.push(relayed)
    this.#bases.gathered({
      ...this.#lane,
      type: 'relay',
      socket: relayed.id,
      address,
      related: mapped?.family === address.family ? mapped : undefined,
      server,
      url: this.#server.url,
      relayProtocol: this.#turn.transport,
    })
  }

  #forget(): void {
    for (const { id } of this.#addresses.splice(0)) if (id !== undefined) this.#bases.remove(id)
  }

  #settle(): void {
    this.isPending = false
    this.#bases.progressed()
  }
}

/** A base: what it sends goes through the allocation. */
class RelayedAddress implements IceBase {
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

/** A base whose data is worth a channel: four bytes in front of each packet in place of 36. */
export function isRelayed(base: IceBase | undefined): base is IceBase & {
  bindChannel(peer: TransportAddress): void
} {
  return base instanceof RelayedAddress
}

function reasonOf(failure: TurnFailure | PeerFailure): string {
  if (failure.type === 'transport-failed') return failure.reason
  return failure.type === 'rejected' ? `${failure.code} ${failure.reason}` : failure.type
}

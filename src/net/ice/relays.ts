/**
 * Relayed candidates (RFC 8445 §5.1.1.2): an allocation on every TURN server, each in its own time. A relayed address
 * is a base like any other; that what goes through it is wrapped is known here and nowhere else.
 */

import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { isPrivate } from '../../ice/policy-checks.ts'
import type { ServerUri } from '../../stun/uri.ts'
import type { PeerFailure, TurnFailure } from '../../turn/client/failure.ts'
import type { TurnClientEvent } from '../../turn/client/outputs.ts'
import type { ClientTlsOptions } from '../client-transport.ts'
import type { TurnConnection } from '../turn-connection.ts'
import { dialTurn } from '../turn-dial.ts'
import type { IceBases, Lane } from './base.ts'
import { RelayedAddress } from './relayed-address.ts'

export interface RelayServer {
  readonly url: string
  readonly uri: ServerUri
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

export interface RelayOptions {
  readonly deadlineMs: number
  readonly tls: ClientTlsOptions | undefined
  readonly mobility: boolean
}

export class Relays {
  readonly #bases: IceBases
  readonly #options: RelayOptions
  readonly #servers: RelayServer[] = []
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
    this.#servers.push(server)
    for (const lane of this.#bases.lanes) this.#open(server, lane)
  }

  /** Tries again where there is no allocation. */
  retry(): void {
    const relays = [...this.#relays]
    for (const server of this.#servers) {
      for (const lane of this.#bases.lanes) {
        if (!relays.some((relay) => relay.server === server && relay.lane === lane)) this.#open(server, lane)
      }
    }
  }

  /** The peer may send from there: servers have to let it in before it does. */
  permit(peer: TransportAddress): void {
    const { ip } = peer
    if (this.#peers.has(ip)) return
    this.#peers.set(ip, peer)
    for (const relay of this.#relays) relay.permit(peer)
  }

  /** Finds out which allocations are still there; those whose connection has lost its address are moved. */
  verify(): void {
    const addresses = this.#bases.host.interfaces().map(({ address }) => address.ip)
    for (const relay of this.#relays) relay.verify(addresses)
  }

  /** Gives all allocations back. */
  close(): void {
    for (const relay of [...this.#relays]) relay.close()
  }

  #open(server: RelayServer, lane: Lane): void {
    const relay: Relay = new Relay(this.#bases, server, lane, this.#options, this.#peers, () => {
      this.#relays.delete(relay)
      this.#bases.progressed()
      if (this.isEmpty) this.#ended()
    })
    this.#relays.add(relay)
  }
}

/** One allocation. */
class Relay {
  readonly #bases: IceBases
  readonly server: RelayServer
  readonly lane: Lane
  readonly #peers: ReadonlyMap<string, TransportAddress>
  readonly #ended: () => void
  readonly #turn: TurnConnection
  #addresses: RelayedAddress[] = []
  isPending = true

  constructor(
    bases: IceBases,
    server: RelayServer,
    lane: Lane,
    { deadlineMs, tls, mobility }: RelayOptions,
    peers: ReadonlyMap<string, TransportAddress>,
    ended: () => void,
  ) {
    this.#bases = bases
    this.server = server
    this.lane = lane
    this.#peers = peers
    this.#ended = ended
    const { uri, credentials } = server
    this.#turn = dialTurn(
      bases.host,
      { uri, credentials, tls, family: 'both', mobility, serverDeadlineMs: deadlineMs },
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

  verify(addresses: readonly string[]): void {
    const { local } = this.#turn
    if (local === undefined || this.#turn.allocation === undefined) return
    this.isPending = true
    const isBound = local.ip !== '0.0.0.0' && local.ip !== '::'
    if (isBound && !addresses.includes(local.ip)) this.#turn.move()
    else this.#turn.verify()
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
        this.isPending = true
        return
      case 'failed':
        this.#forget()
        this.#bases.serverFailed(this.server.url, reasonOf(event.failure))
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
      case 'verified':
      case 'moved':
        this.#settle()
        return
      case 'channel-bound':
      case 'channel-expired':
        return
    }
  }

  #open(address: TransportAddress, mapped: TransportAddress | undefined, server: TransportAddress): void {
    const relayed = new RelayedAddress(this.#bases, this.#turn, address)
    relayed.id = this.#bases.add(relayed, this.lane)
    this.#addresses.push(relayed)
    this.#bases.gathered({
      ...this.lane,
      type: 'relay',
      socket: relayed.id,
      address,
      related: mapped?.family === address.family ? mapped : undefined,
      server,
      url: this.server.url,
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

function reasonOf(failure: TurnFailure | PeerFailure): string {
  if (failure.type === 'transport-failed') return failure.reason
  return failure.type === 'rejected' ? `${failure.code} ${failure.reason}` : failure.type
}

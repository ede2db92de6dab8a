/**
 * Gathering (RFC 8445 §5.1.1): which interfaces there are, which servers, and whether something may still come. What it
 * finds it hands to the transport one by one.
 */

import type { TransportAddress } from '../../core/transport-address.ts'
import { type ChosenInterface, chooseInterfaces } from '../../ice/interfaces.ts'
import { isSecure, parseServerUri, type ServerUri } from '../../stun/uri.ts'
import { resolveServer } from '../resolve-server.ts'
import type { IceBases } from './base.ts'
import { defaultSources } from './default-sources.ts'
import { HostSockets } from './host-sockets.ts'
import { watchInterfaces } from './interface-watch.ts'
import { findPrefix64 } from './nat64.ts'
import { type IceTransportOptions, listServers, transportDefaults } from './options.ts'
import { ReflexiveGatherer } from './reflexive.ts'
import { type RelayServer, Relays } from './relays.ts'
import { type ConnectionListener, TcpBases } from './tcp-bases.ts'
import { TcpReflexive } from './tcp-reflexive.ts'

export type GatheringState = 'new' | 'gathering' | 'complete'

export interface GatheringListener {
  gatheringChanged(state: GatheringState): void
  /** After `close`: the last allocation has been given back. */
  ended(): void
}

export class Gathering {
  readonly tcp: TcpBases
  readonly #bases: IceBases
  readonly #options: IceTransportOptions
  readonly #listener: GatheringListener
  readonly #hostSockets: HostSockets
  readonly #reflexive: ReflexiveGatherer
  readonly #tcpReflexive: TcpReflexive
  readonly #relays: Relays
  /** Each ends a search in the DNS. */
  readonly #searches = new Set<() => void>()
  #stopWatching: () => void = () => {}
  #isNat64Sought = false
  #state: GatheringState = 'new'
  #isClosed = false

  constructor(
    bases: IceBases,
    options: IceTransportOptions,
    connections: ConnectionListener,
    listener: GatheringListener,
  ) {
    this.#bases = bases
    this.#options = options
    this.#listener = listener
    const deadlineMs = options.serverDeadlineMs ?? transportDefaults.serverDeadlineMs
    this.#reflexive = new ReflexiveGatherer(bases, deadlineMs)
    this.#hostSockets = new HostSockets(bases, this.#reflexive, options.portRange)
    this.#tcpReflexive = new TcpReflexive(bases, { deadlineMs, tls: options.tls })
    this.tcp = new TcpBases(bases, options.tcp ?? [], this.#tcpReflexive, connections)
    this.#relays = new Relays(
      bases,
      { deadlineMs, tls: options.tls, mobility: options.turnMobility === true },
      () => {
        if (this.#isClosed) listener.ended()
      },
    )
  }

  get state(): GatheringState {
    return this.#state
  }

  /** Throws `uri-invalid` before anything has begun. */
  start(): void {
    if (this.#state !== 'new') return
    const servers = listServers(this.#options.servers ?? []).map((server) => ({
      ...server,
      uri: parseServerUri(server.url),
    }))
    this.#begun()
    this.#stopWatching = watchInterfaces(this.#bases.host, () => this.#interfacesChanged())
    for (const server of servers) this.#begin(server)
  }

  /** For a new generation: opens what has come since or has failed before, and asks whether the rest is still true. */
  again(): void {
    if (this.#state === 'new' || this.#isClosed) return
    this.#begun()
    this.#reflexive.askAgain()
    this.#relays.verify()
    this.#relays.retry()
  }

  /** The peer may send from there. */
  permit(peer: TransportAddress): void {
    this.#relays.permit(peer)
  }

  /** Mappings are kept for as long as the peer may still come to use them. */
  setRefreshing(isRefreshing: boolean): void {
    this.#reflexive.setRefreshing(isRefreshing)
  }

  /** Nothing is heard from the peer: maybe a NAT has moved us, and the TURN servers do not know us any more. */
  suspect(): void {
    this.#relays.verify()
  }

  /** Something that was waited for may be over. */
  progressed(): void {
    if (this.#state !== 'gathering' || this.#isClosed) return
    const isPending =
      this.#searches.size > 0 ||
      this.#hostSockets.isPending ||
      this.tcp.isPending ||
      this.#reflexive.isPending ||
      this.#tcpReflexive.isPending ||
      this.#relays.isPending
    if (isPending) return
    this.#state = 'complete'
    this.#listener.gatheringChanged('complete')
  }

  /** `ended` follows when the allocations have been given back; false if there are none. */
  close(): boolean {
    this.#isClosed = true
    this.#stopWatching()
    for (const cancel of this.#searches) cancel()
    this.#searches.clear()
    this.#reflexive.close()
    this.#tcpReflexive.close()
    this.#hostSockets.close()
    this.tcp.close()
    const hasRelays = !this.#relays.isEmpty
    this.#relays.close()
    return hasRelays
  }

  #begun(): void {
    this.#state = 'gathering'
    this.#listener.gatheringChanged('gathering')
    this.#closeGone()
    this.#openInterfaces()
    const { clock } = this.#bases.host
    // Where there is nothing to wait for, too, the caller hears of the end when it has returned.
    this.#search((done) => clock.schedule(clock.now(), done))
  }

  #begin(server: RelayServer): void {
    const { url, uri } = server
    if (isTurn(uri)) this.#relays.addServer(server)
    if (this.#options.transportPolicy === 'relay') return
    if (isSecure(uri) && !isTurn(uri)) this.#beginOverTls(server)
    if (uri.transport === 'tcp' || isSecure(uri)) return
    // A server of either kind that speaks UDP can say how we look from outside.
    this.#search((done) =>
      resolveServer(this.#bases.host, uri, { transports: ['udp'] }, (result) => {
        if (result.type === 'resolved') {
          for (const { address } of result.servers) this.#reflexive.addServer(url, address, isTurn(uri))
        } else if (!isTurn(uri)) this.#bases.serverFailed(url, result.reason)
        done()
      }),
    )
  }

  /** What is learnt over TLS is good for candidates over TCP only, and of these for simultaneous open. */
  #beginOverTls({ url, uri }: RelayServer): void {
    const { clock } = this.#bases.host
    this.#search((done) => {
      const fail = (reason: string) => {
        this.#bases.serverFailed(url, reason)
        done()
      }
      if (this.#options.tcp?.includes('so') !== true) {
        return clock.schedule(clock.now(), () => fail("of use to candidates over TCP only: add tcp: ['so']"))
      }
      return resolveServer(this.#bases.host, uri, { transports: ['tls'] }, (result) => {
        if (result.type !== 'resolved') return fail(result.reason)
        for (const found of result.servers) this.#tcpReflexive.addServer(url, found)
        done()
      })
    })
  }

  /** What belongs to an address that is gone is closed; what has come is used, if that is wanted. */
  #interfacesChanged(): void {
    if (this.#isClosed) return
    this.#isNat64Sought = false
    this.#closeGone()
    if (this.#options.continualGathering === true) this.#openInterfaces()
    this.#relays.verify()
  }

  #closeGone(): void {
    const present = this.#bases.host.interfaces()
    this.#hostSockets.retain(present)
    this.tcp.retain(present)
  }

  /** Sockets for what is there and has none yet. */
  #openInterfaces(): void {
    if (this.#options.transportPolicy === 'relay') return
    const chosen = this.#chooseInterfaces()
    this.#hostSockets.open(chosen)
    this.tcp.open(chosen)
    if (this.#isNat64Sought || chosen.length === 0) return
    this.#isNat64Sought = true
    if (chosen.every(({ address }) => address.family === 'IPv6')) this.#findNat64()
  }

  #chooseInterfaces(): readonly ChosenInterface[] {
    const { host } = this.#bases
    const present = host.interfaces()
    return chooseInterfaces(present, {
      preferred: defaultSources(host, present),
      ...this.#options.interfaces,
    }).chosen
  }

  #findNat64(): void {
    this.#search((done) =>
      findPrefix64(this.#bases.host, (prefix) => {
        this.#reflexive.setPrefix64(prefix)
        done()
      }),
    )
  }

  /** Gathering is not over before the search is. */
  #search(begin: (done: () => void) => () => void): void {
    const cancel = begin(() => {
      this.#searches.delete(cancel)
      this.progressed()
    })
    this.#searches.add(cancel)
  }
}

function isTurn({ scheme }: ServerUri): boolean {
  return scheme === 'turn' || scheme === 'turns'
}

/**
 * Candidates over TCP (RFC 6544): listeners for passive ones and for simultaneous open, and connections in both
 * directions. Packets are framed by their length (RFC 4571).
 */

import type { InterfaceAddress, StreamHandlers, StreamSocket, TcpListener } from '../../core/host.ts'
import { isSameIp } from '../../core/ip.ts'
import type { SocketId } from '../../core/sans-io.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { TcpType } from '../../ice/candidate.ts'
import type { ChosenInterface } from '../../ice/interfaces.ts'
import type { IceBase, IceBases, Lane } from './base.ts'
import { TcpBase } from './tcp-base.ts'
import type { TcpReflexive } from './tcp-reflexive.ts'

/** What the agent is told of connections. */
export interface ConnectionListener {
  /** False if it is nobody's, and is to be closed. */
  accepted(connection: SocketId, socket: SocketId): boolean
  opened(connection: SocketId): void
  failed(connection: SocketId, reason: string): void
  closed(connection: SocketId, reason: string | undefined): void
}

/** RFC 6544 §4.1: an active candidate has no port of its own. */
const discardPort = 9
/** Limit: longer than that, and another pair has been selected. */
const connectTimeoutMs = 10_000
/** Limit: connections from outside that have not shown who they are. */
const maxAccepted = 64

/** One candidate: the address it is on, and the listener if it waits for connections. */
interface TcpSource {
  readonly lane: Lane
  readonly type: TcpType
  readonly address: TransportAddress
  id: SocketId | undefined
  listener: TcpListener | undefined
  isPending: boolean
}

export class TcpBases {
  readonly #bases: IceBases
  readonly #types: readonly TcpType[]
  readonly #listener: ConnectionListener
  readonly #reflexive: TcpReflexive
  readonly #sources = new Set<TcpSource>()
  readonly #accepted = new Set<TcpBase>()

  constructor(
    bases: IceBases,
    types: readonly TcpType[],
    reflexive: TcpReflexive,
    listener: ConnectionListener,
  ) {
    this.#reflexive = reflexive
    this.#bases = bases
    this.#types = types
    this.#listener = listener
  }

  get isPending(): boolean {
    for (const { isPending } of this.#sources) if (isPending) return true
    return false
  }

  /** Closes what belongs to an address that the host has no more. */
  retain(present: readonly InterfaceAddress[]): void {
    for (const source of [...this.#sources]) {
      if (!present.some(({ address }) => isSameIp(address, source.address))) this.#drop(source)
    }
  }

  /** Opens what is missing. */
  open(addresses: readonly ChosenInterface[]): void {
    for (const chosen of addresses) {
      for (const type of this.#types) for (const lane of this.#bases.lanes) this.#offer(chosen, type, lane)
    }
  }

  /** The agent asks for a connection from one of its candidates to one of the peer's. */
  connect(connection: SocketId, socket: SocketId, local: TransportAddress, remote: TransportAddress): void {
    const source = [...this.#sources].find(({ id }) => id === socket)
    if (source === undefined) {
      this.#bases.host.clock.schedule(this.#bases.host.clock.now(), () =>
        this.#listener.failed(connection, 'EADDRNOTAVAIL'),
      )
      return
    }
    const isSimultaneous = source.type === 'so'
    const base = new TcpBase(this.#bases)
    this.#bases.addAs(connection, base, source.lane)
    base.stream = this.#bases.host.connectTcp(
      {
        remote,
        local: isSimultaneous ? local : local.withPort(0),
        fromListener: isSimultaneous,
        timeoutMs: connectTimeoutMs,
      },
      base.handlers(connection, remote, {
        opened: () => this.#listener.opened(connection),
        failed: (reason) => this.#listener.failed(connection, reason),
        closed: (reason) => this.#listener.closed(connection, reason),
      }),
    )
  }

  close(): void {
    for (const source of [...this.#sources]) this.#drop(source)
    for (const base of [...this.#accepted]) base.close()
  }

  #offer(chosen: ChosenInterface, type: TcpType, lane: Lane): void {
    for (const source of this.#sources) {
      if (source.lane === lane && source.type === type && source.address.ip === chosen.address.ip) return
    }
    const source: TcpSource = {
      lane,
      type,
      address: chosen.address,
      id: undefined,
      listener: undefined,
      isPending: type !== 'active',
    }
    this.#sources.add(source)
    if (type === 'active') this.#tell(source, chosen, chosen.address.withPort(discardPort))
    else this.#listen(source, chosen)
  }

  #listen(source: TcpSource, chosen: ChosenInterface): void {
    const settle = () => {
      source.isPending = false
      this.#bases.progressed()
    }
    source.listener = this.#bases.host.listenTcp(
      { address: source.address, isShared: source.type === 'so' },
      {
        bound: (local) => {
          this.#tell(source, chosen, local)
          settle()
        },
        // No candidate, then: where ports cannot be shared there is no simultaneous open.
        failed: settle,
        acceptFailed: () => {},
        handshakeFailed: () => {},
        admit: () => this.#accepted.size < maxAccepted,
        connection: (stream, remote) => this.#accept(source, stream, remote),
      },
    )
  }

  #tell(source: TcpSource, chosen: ChosenInterface, address: TransportAddress): void {
    const { lane, type } = source
    source.id = this.#bases.add(nowhere, lane)
    this.#bases.gathered({
      ...lane,
      type: 'host',
      protocol: 'tcp',
      tcpType: type,
      socket: source.id,
      address,
      localPreference: chosen.localPreference,
      networkCost: chosen.networkCost,
    })
    if (type === 'so') this.#reflexive.listening({ socket: source.id, local: address, lane })
  }

  #accept(source: TcpSource, stream: StreamSocket, remote: TransportAddress): StreamHandlers {
    const base = new TcpBase(this.#bases)
    base.stream = stream
    const connection = this.#bases.add(base, source.lane)
    this.#accepted.add(base)
    const forget = () => this.#accepted.delete(base)
    base.onClosed = forget
    if (source.id === undefined || !this.#listener.accepted(connection, source.id)) {
      this.#bases.remove(connection)
    }
    return base.handlers(connection, remote, {
      opened: () => {},
      failed: () => {},
      closed: (reason) => this.#listener.closed(connection, reason),
    })
  }

  #drop(source: TcpSource): void {
    this.#sources.delete(source)
    source.listener?.close()
    if (source.id === undefined) return
    this.#reflexive.closed(source.id)
    this.#bases.remove(source.id)
  }
}

/** A candidate over TCP is no connection: nothing is sent from it. */
const nowhere: IceBase = {
  send: () => false,
  close: () => {},
}

/** The TCP of a simulated host: which connection a segment is for, who listens, and what nobody waits for. */

import { AddressTable } from '../core/address-table.ts'
import { TurnpikeError } from '../core/errors.ts'
import type {
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  TlsCertificate,
} from '../core/host.ts'
import { randomUint32 } from '../core/random.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { readCertificate } from './certificate.ts'
import type { Packet } from './packet.ts'
import type { SeededRandom } from './seeded-random.ts'
import { isWildcard, SocketTable } from './sockets.ts'
import { SimStream } from './stream.ts'
import { TcpConnection } from './tcp.ts'
import { ClientHandshake, ServerHandshake } from './tls.ts'
import type { World } from './world.ts'

export interface TcpHost {
  transmit(packet: Packet): string | undefined
  has(address: TransportAddress): boolean
  sourceFor(remote: TransportAddress): TransportAddress | undefined
}

interface Listener {
  /** Streams whose handshake is going on. */
  readonly opening: Set<SimStream>
  readonly options: TcpListenOptions
  readonly handlers: TcpListenHandlers
  certificates: readonly TlsCertificate[]
  local: TransportAddress | undefined
  isClosed: boolean
}

/** Plain connections are there with their handshake: there is nothing else to time out. */
const acceptTimeoutMs = 30_000

export class TcpStack {
  readonly #world: World
  readonly #host: TcpHost
  readonly #random: SeededRandom
  readonly #listeners = new SocketTable<Listener>()
  /** By local address, then by remote address. */
  readonly #connections = new SocketTable<AddressTable<TcpConnection>>()
  #connectionCount = 0

  constructor(world: World, random: SeededRandom, host: TcpHost) {
    this.#world = world
    this.#random = random
    this.#host = host
  }

  /** Listeners, and connections that are not over. */
  get openSockets(): number {
    return this.#listeners.size + this.#connectionCount
  }

  listen(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener {
    const certificates = options.tls?.certificates ?? []
    if (options.tls !== undefined) checkCertificates(certificates)
    const listener: Listener = {
      opening: new Set(),
      options,
      handlers,
      certificates,
      local: undefined,
      isClosed: false,
    }
    this.#world.soon(() => this.#bind(listener))
    return {
      setCertificates: (replacements) => {
        checkCertificates(replacements)
        listener.certificates = replacements
      },
      close: () => {
        if (listener.isClosed) return
        listener.isClosed = true
        if (listener.local !== undefined) this.#listeners.remove(listener.local)
        for (const stream of listener.opening) stream.close()
      },
    }
  }

  connect(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket {
    const { remote, tls, timeoutMs } = options
    const local = this.#localFor(options)
    const unbound = options.local ?? remote.withPort(0)
    const connection = this.#open(typeof local === 'string' ? unbound : local, remote)
    const handshake =
      tls && new ClientHandshake(tls, remote.ip, this.#world.authorities, this.#world.clock.epochSeconds())
    const stream = new SimStream(this.#world, connection, handshake, timeoutMs, {
      connected: () => true,
      opened: (session) => {
        handlers.opened(connection.local, session)
        return handlers
      },
      failed: (reason) => handlers.failed(reason),
    })
    if (typeof local === 'string') stream.refuse(local)
    else {
      this.#add(connection)
      const refusal = connection.connect()
      if (refusal !== undefined) stream.refuse(refusal)
    }
    return stream
  }

  receive(packet: Packet): void {
    const connection = this.#connections.exact(packet.destination)?.get(0, packet.source)
    if (connection !== undefined) {
      connection.handle(packet)
      return
    }
    const { syn, ack } = packet.segment!
    const listener = syn && !ack ? this.#listeners.find(packet.destination) : undefined
    if (listener !== undefined) {
      this.#accept(listener, packet)
      return
    }
    const reset = packet.reset()
    if (reset !== undefined) this.#host.transmit(reset)
  }

  /** An ICMP error about a connection of ours. */
  unreachable(local: TransportAddress, remote: TransportAddress, reason: string): void {
    this.#connections.exact(local)?.get(0, remote)?.unreachable(reason)
  }

  #bind(listener: Listener): void {
    if (listener.isClosed) return
    const { address } = listener.options
    const isLocal = isWildcard(address) || isLoopback(address) || this.#host.has(address)
    const local = isLocal ? this.#listeners.choose(address, this.#random) : undefined
    if (local === undefined) {
      listener.isClosed = true
      listener.handlers.failed(isLocal ? 'EADDRINUSE' : 'EADDRNOTAVAIL')
      return
    }
    listener.local = local
    this.#listeners.add(local, listener)
    listener.handlers.bound(local)
  }

  #accept(listener: Listener, packet: Packet): void {
    const { handlers, options } = listener
    const remote = packet.source
    const connection = this.#open(packet.destination, remote)
    const handshake = options.tls && new ServerHandshake(options.tls, listener.certificates)
    const timeoutMs = options.tls?.handshakeTimeoutMs ?? acceptTimeoutMs
    const stream = new SimStream(this.#world, connection, handshake, timeoutMs, {
      connected: () => {
        if (handlers.admit?.(remote) !== false) return true
        listener.opening.delete(stream)
        return false
      },
      opened: () => {
        listener.opening.delete(stream)
        return handlers.connection(stream, remote)
      },
      failed: (reason) => {
        listener.opening.delete(stream)
        if (options.tls !== undefined) handlers.handshakeFailed(reason, remote)
      },
    })
    listener.opening.add(stream)
    this.#add(connection)
    connection.accept(packet.segment!)
  }

  #open(local: TransportAddress, remote: TransportAddress): TcpConnection {
    const connection: TcpConnection = new TcpConnection(
      this.#world,
      local,
      remote,
      { transmit: (packet) => this.#host.transmit(packet), done: () => this.#remove(connection) },
      randomUint32(this.#random),
    )
    return connection
  }

  #add(connection: TcpConnection): void {
    const { local, remote } = connection
    let table = this.#connections.exact(local)
    if (table === undefined) {
      table = new AddressTable(0)
      this.#connections.add(local, table)
    }
    table.set(0, remote, connection)
    this.#connectionCount++
  }

  /** One that was refused was never added, and another may have its addresses. */
  #remove(connection: TcpConnection): void {
    const { local, remote } = connection
    const table = this.#connections.exact(local)
    if (table?.get(0, remote) !== connection) return
    table.delete(0, remote)
    this.#connectionCount--
    if (table.size === 0) this.#connections.remove(local)
  }

  /** The local address of a new connection, or why it cannot be had. */
  #localFor({ local, remote, fromListener }: TcpConnectOptions): TransportAddress | string {
    const isAny = local === undefined || isWildcard(local)
    const source = isAny ? this.#host.sourceFor(remote) : local
    if (source === undefined) return 'ENETUNREACH'
    if (!isAny && !isLoopback(local) && !this.#host.has(local)) return 'EADDRNOTAVAIL'
    const port = local?.port ?? 0
    if (port !== 0) {
      const address = source.withPort(port)
      const listener = this.#listeners.find(address)
      const mayShare = fromListener === true && listener?.options.isShared === true
      if (listener !== undefined && !mayShare) return 'EADDRINUSE'
      return this.#connections.exact(address)?.get(0, remote) === undefined ? address : 'EADDRINUSE'
    }
    return this.#connections.choose(source.withPort(0), this.#random) ?? 'EADDRINUSE'
  }
}

function isLoopback(address: TransportAddress): boolean {
  return address.ip === '::1' || address.ip.startsWith('127.')
}

function checkCertificates(certificates: readonly TlsCertificate[]): void {
  if (certificates.length === 0) {
    throw new TurnpikeError('configuration-invalid', 'a TLS listener needs a certificate')
  }
  for (const { certificate, key } of certificates) {
    readCertificate(certificate)
    if (key === '') throw new TurnpikeError('configuration-invalid', 'a certificate without its key')
  }
}

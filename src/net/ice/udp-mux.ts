/**
 * One UDP port for all sessions of a host, on each of its addresses: for servers behind a firewall that opens one. A session
 * is given to `openIce` with the mux; what comes in is told apart by `ice/mux.ts`.
 */

import type { Host, UdpBindOptions, UdpHandlers, UdpSocket } from '../../core/host.ts'
import { type Datagram, datagramOf, type SocketId, socketId } from '../../core/sans-io.ts'
import type { Instant } from '../../core/time.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { InputVerdict } from '../../ice/inbound.ts'
import { IceMux, type MuxedAgent } from '../../ice/mux.ts'

export interface UdpMuxOptions {
  /** Unless given the system chooses one for each address. */
  readonly port?: number | undefined
}

/** A socket's handlers; what a packet was, is told. */
export interface BaseHandlers extends UdpHandlers {
  datagram(bytes: Uint8Array, source: AddressWords): InputVerdict
}

/** What a session needs of a socket, its own or a share of one. */
export type BaseSocket = Pick<UdpSocket, 'send' | 'close'>

/** Sockets are opened when a session first needs them, and stay open until `close`. */
export class UdpMux {
  readonly #host: Host
  readonly #port: number
  readonly #routes: IceMux<MuxedSession>
  readonly #sockets = new Map<string, SharedSocket>()
  #nextSocket = 0

  constructor(host: Host, { port = 0 }: UdpMuxOptions = {}) {
    this.#host = host
    this.#port = port
    this.#routes = new IceMux(host.random)
  }

  /** Where the sockets are that are open. */
  get addresses(): TransportAddress[] {
    return [...this.#sockets.values()].flatMap(({ local }) => (local === undefined ? [] : [local]))
  }

  /** For `openIce`. */
  join(): MuxedSession {
    return new MuxedSession(this.#routes, (address) => this.#socketAt(address))
  }

  /** To be called when the sessions are closed; one that is not sends and receives nothing any more. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  #socketAt(address: TransportAddress): SharedSocket {
    const known = this.#sockets.get(address.ip)
    if (known !== undefined) return known
    const id = socketId(this.#nextSocket++)
    const socket: SharedSocket = new SharedSocket(this.#host, id, address.withPort(this.#port), {
      datagram: (datagram) => this.#routes.route(datagram, this.#host.clock.now()),
      failed: () => this.#sockets.delete(address.ip),
    })
    this.#sockets.set(address.ip, socket)
    return socket
  }
}

/** One session behind a mux: binds like a Host does, and gets a share of the socket. */
export class MuxedSession implements MuxedAgent {
  readonly #routes: IceMux<MuxedSession>
  readonly #socketAt: (address: TransportAddress) => SharedSocket
  readonly #handlers = new Map<SocketId, BaseHandlers>()
  #lastDestination: AddressWords | undefined

  constructor(routes: IceMux<MuxedSession>, socketAt: (address: TransportAddress) => SharedSocket) {
    this.#routes = routes
    this.#socketAt = socketAt
  }

  /** Checks with this fragment are for this session. */
  add(ufrag: string): void {
    this.#routes.add(this, ufrag)
  }

  removeUfrag(ufrag: string): void {
    this.#routes.removeUfrag(ufrag)
  }

  close(): void {
    this.#routes.remove(this)
  }

  /** The port is the mux's. */
  bindUdp({ address }: UdpBindOptions, handlers: BaseHandlers): BaseSocket {
    const socket = this.#socketAt(address)
    const leave = socket.join(handlers)
    this.#handlers.set(socket.id, handlers)
    return {
      send: (bytes, destination) => {
        this.#note(socket.id, bytes, destination)
        socket.send(bytes, destination, handlers)
      },
      close: () => {
        this.#handlers.delete(socket.id)
        leave()
      },
    }
  }

  handleDatagram({ socket, bytes, source }: Datagram, _now: Instant): InputVerdict {
    return this.#handlers.get(socket)?.datagram(bytes, source) ?? 'dropped'
  }

  /** Data goes where checks have gone before, mostly in one object: nothing new is in it. */
  #note(socket: SocketId, bytes: Uint8Array, destination: AddressWords): void {
    if (destination === this.#lastDestination && bytes[0]! > 3) return
    this.#lastDestination = destination
    this.#routes.sent(this, socket, TransportAddress.from(destination), bytes)
  }
}

interface SharedSocketListener {
  datagram(datagram: Datagram): void
  failed(): void
}

class SharedSocket {
  readonly id: SocketId
  readonly #host: Host
  readonly #socket: UdpSocket
  /** Who has not been told yet that it is bound. */
  readonly #waiting = new Set<BaseHandlers>()
  #lastSender: BaseHandlers | undefined
  local: TransportAddress | undefined

  constructor(host: Host, id: SocketId, address: TransportAddress, listener: SharedSocketListener) {
    this.id = id
    this.#host = host
    this.#socket = host.bindUdp(
      { address },
      {
        bound: (local) => {
          this.local = local
          for (const { bound } of this.#take()) bound(local)
        },
        failed: (reason) => {
          listener.failed()
          for (const { failed } of this.#take()) failed(reason)
        },
        datagram: (bytes, source) => listener.datagram(datagramOf(id, source, bytes)),
        sendFailed: (reason) => this.#lastSender?.sendFailed(reason),
      },
    )
  }

  /** `bound` or `failed` follows. The returned function ends it. */
  join(handlers: BaseHandlers): () => void {
    this.#waiting.add(handlers)
    const { local } = this
    const { clock } = this.#host
    if (local !== undefined) {
      clock.schedule(clock.now(), () => {
        if (this.#waiting.delete(handlers)) handlers.bound(local)
      })
    }
    return () => {
      this.#waiting.delete(handlers)
      if (this.#lastSender === handlers) this.#lastSender = undefined
    }
  }

  send(bytes: Uint8Array, destination: AddressWords, sender: BaseHandlers): void {
    this.#lastSender = sender
    this.#socket.send(bytes, destination)
  }

  close(): void {
    this.#waiting.clear()
    this.#socket.close()
  }

  #take(): BaseHandlers[] {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    return waiting
  }
}

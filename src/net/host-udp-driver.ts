/**
 * The UDP driver over a Host's own sockets: node:dgram on every platform, or a simulated host. What a packet costs
 * here is the one array it leaves in, and for a payload without a header not even that.
 */

import type { Host, UdpSocket } from '../core/host.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Route } from '../turn/route.ts'
import { isRelaySocket } from '../turn/socket-numbers.ts'
import { packetOf } from './route-packet.ts'
import type { UdpDriver, UdpDriverHandlers } from './udp-driver.ts'

type ReusedDatagram = { -readonly [Key in keyof Datagram]: Datagram[Key] }

export class HostUdpDriver implements UdpDriver {
  readonly #host: Host
  readonly #handlers: UdpDriverHandlers
  readonly #sharesPorts: boolean
  readonly #sockets = new Map<SocketId, UdpSocket>()

  /** `sharesPorts`: other threads listen on the same addresses. */
  constructor(host: Host, handlers: UdpDriverHandlers, sharesPorts = false) {
    this.#host = host
    this.#sharesPorts = sharesPorts
    this.#handlers = handlers
  }

  bind(id: SocketId, address: TransportAddress): void {
    const handlers = this.#handlers
    const datagram: ReusedDatagram = { socket: id, source: address, bytes: noBytes, start: 0, end: 0 }
    const socket = this.#host.bindUdp(
      { address, reusePort: this.#sharesPorts && !isRelaySocket(id) },
      {
        bound: (local) => handlers.bound(id, local, socket.receiveBufferBytes),
        failed: (reason) => {
          this.#sockets.delete(id)
          handlers.bindFailed(id, reason)
        },
        datagram: (bytes, source) => {
          datagram.source = source
          datagram.bytes = bytes
          datagram.end = bytes.length
          handlers.datagram(datagram)
        },
        sendFailed: (reason) => handlers.sendFailed(reason, 1),
      },
    )
    this.#sockets.set(id, socket)
  }

  transmit(socket: SocketId, destination: AddressWords, bytes: Uint8Array): void {
    this.#sockets.get(socket)?.send(bytes, destination)
  }

  forward(route: Route, { bytes }: Datagram): void {
    this.#sockets.get(route.socket)?.send(packetOf(route, bytes), route.destination, false)
  }

  close(socket: SocketId): void {
    this.#sockets.get(socket)?.close()
    this.#sockets.delete(socket)
  }

  flush(): void {}

  closeAll(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }
}

const noBytes = new Uint8Array(0)

/**
 * One TURN engine and its sockets: feeds datagrams in, sends what comes out, and arms one timer. All that a packet
 * costs here is the one array it leaves in, and for a payload without a header not even that.
 */

import { unreachable } from '../core/errors.ts'
import type { Host, UdpSocket } from '../core/host.ts'
import { type Datagram, datagramOf, type SocketId, socketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { AllocationRecord } from '../turn/allocation.ts'
import type { EndReason, ServerOutput } from '../turn/outputs.ts'
import type { Route } from '../turn/route.ts'
import type { TurnServer } from '../turn/server.ts'

export interface ShardEvents {
  allocationCreated(allocation: AllocationRecord): void
  allocationEnded(allocation: AllocationRecord, reason: EndReason, now: Instant): void
  /** A packet or a relay socket that the system refused. */
  systemRefused(what: 'send' | 'relay-bind', reason: string): void
}

export class Shard {
  readonly #engine: TurnServer
  readonly #host: Host
  readonly #events: ShardEvents
  readonly #sockets = new Map<SocketId, UdpSocket>()
  #nextListener = 0
  #cancelTimer: () => void = () => {}
  #timerAt: Instant | undefined

  constructor(engine: TurnServer, host: Host, events: ShardEvents) {
    this.#engine = engine
    this.#host = host
    this.#events = events
  }

  /** Opens a listening socket. Rejects with the system's code, such as 'EADDRINUSE'. */
  listen(
    address: TransportAddress,
  ): Promise<{ local: TransportAddress; receiveBufferBytes: number | undefined }> {
    const id = socketId(this.#nextListener++)
    return new Promise((resolve, reject) => {
      const socket = this.#host.bindUdp(
        { address },
        {
          bound: (local) => {
            this.#engine.addListener(id, local)
            resolve({ local, receiveBufferBytes: socket.receiveBufferBytes })
          },
          failed: (reason) => {
            this.#sockets.delete(id)
            reject(reason)
          },
          datagram: (bytes, source) => this.#handleDatagram(datagramOf(id, source, bytes)),
          sendFailed: (reason) => this.#events.systemRefused('send', reason),
        },
      )
      this.#sockets.set(id, socket)
    })
  }

  /** Ends every allocation and closes every socket. No timer is left. */
  close(): void {
    this.#engine.closeAll()
    this.#drain()
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    this.#cancelTimer()
  }

  #handleDatagram(datagram: Datagram): void {
    const route = this.#engine.handleDatagram(datagram, this.#host.clock.now())
    if (route !== undefined) this.#forward(route, datagram.bytes)
    this.#drain()
  }

  #forward(route: Route, bytes: Uint8Array): void {
    const socket = this.#sockets.get(route.socket)
    if (socket === undefined) return
    const { headerLength, start, end, padding } = route
    if (headerLength === 0 && padding === 0) {
      socket.send(bytes.subarray(start, end), route.destination)
      return
    }
    const packet = new Uint8Array(headerLength + end - start + padding)
    for (let i = 0; i < headerLength; i++) packet[i] = route.header[i]!
    packet.set(bytes.subarray(start, end), headerLength)
    socket.send(packet, route.destination)
  }

  /** After every input: all outputs in order, then the timer. */
  #drain(): void {
    for (let output = this.#engine.poll(); output !== undefined; output = this.#engine.poll()) {
      this.#carryOut(output)
    }
    this.#armTimer()
  }

  #carryOut(output: ServerOutput): void {
    switch (output.type) {
      case 'transmit':
        this.#sockets.get(output.socket)?.send(output.bytes, output.destination)
        return
      case 'bind-relay':
        this.#bindRelay(output.socket, output.address)
        return
      case 'close-relay':
        this.#sockets.get(output.socket)?.close()
        this.#sockets.delete(output.socket)
        return
      case 'allocation-created':
        this.#events.allocationCreated(output.allocation)
        return
      case 'allocation-ended':
        this.#events.allocationEnded(output.allocation, output.reason, this.#host.clock.now())
        return
      default:
        unreachable(output)
    }
  }

  #bindRelay(id: SocketId, address: TransportAddress): void {
    const socket = this.#host.bindUdp(
      { address },
      {
        bound: () => {
          this.#engine.relayBound(id, this.#host.clock.now())
          this.#drain()
        },
        failed: (reason) => {
          this.#sockets.delete(id)
          this.#events.systemRefused('relay-bind', reason)
          this.#engine.relayFailed(id, reason)
          this.#drain()
        },
        datagram: (bytes: Uint8Array, source: AddressWords) =>
          this.#handleDatagram(datagramOf(id, source, bytes)),
        sendFailed: (reason) => this.#events.systemRefused('send', reason),
      },
    )
    this.#sockets.set(id, socket)
  }

  #armTimer(): void {
    const at = this.#engine.pollTimeout()
    if (at === this.#timerAt) return
    this.#cancelTimer()
    this.#timerAt = at
    if (at === undefined) {
      this.#cancelTimer = () => {}
      return
    }
    this.#cancelTimer = this.#host.clock.schedule(at, () => {
      this.#timerAt = undefined
      this.#engine.handleTimeout(this.#host.clock.now())
      this.#drain()
    })
  }
}

/** A UDP socket of a simulated host. */

import type { UdpBindOptions, UdpHandlers, UdpSocket } from '../core/host.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { defaultHops, Packet } from './packet.ts'

/** Limit: what IPv4's length field leaves for the payload. */
const longestPayload = 65_507
const defaultReceiveBufferBytes = 4 * 1024 * 1024

/** What a socket needs from its host. */
export interface UdpHost {
  /** The address with the port in use, or why it cannot be had. */
  bindUdp(socket: SimUdpSocket, options: UdpBindOptions): TransportAddress | string
  releaseUdp(socket: SimUdpSocket): void
  /** Sends the packet, or says why it cannot go. */
  transmit(packet: Packet): string | undefined
  soon(callback: () => void): void
}

/** `opening` until the caller has the socket in hand; then `open`, or `closed` for good. */
type State = 'opening' | 'open' | 'closed'

export class SimUdpSocket implements UdpSocket {
  readonly #host: UdpHost
  readonly #handlers: UdpHandlers
  readonly groups: readonly TransportAddress[]
  #state: State = 'opening'
  #local: TransportAddress
  #hops = defaultHops
  receiveBufferBytes: number | undefined

  constructor(host: UdpHost, options: UdpBindOptions, handlers: UdpHandlers) {
    this.#host = host
    this.#handlers = handlers
    this.groups = options.multicastGroups ?? []
    this.#local = options.address
    host.soon(() => this.#bind(options))
  }

  get local(): TransportAddress {
    return this.#local
  }

  send(bytes: Uint8Array, destination: AddressWords): void {
    if (this.#state !== 'open') return
    const refusal = this.#send(bytes, TransportAddress.from(destination))
    if (refusal !== undefined) this.#host.soon(() => this.sendFailed(refusal))
  }

  setTtl(hops: number): void {
    this.#hops = hops
  }

  close(): void {
    if (this.#state === 'open') this.#host.releaseUdp(this)
    this.#state = 'closed'
  }

  /** What the network has brought. */
  receive(packet: Packet): void {
    // Bytes belong to who gets them, and a packet may have come twice.
    if (this.#state === 'open') this.#handlers.datagram(packet.bytes.slice(), packet.source)
  }

  sendFailed(reason: string): void {
    if (this.#state === 'open') this.#handlers.sendFailed(reason)
  }

  #send(bytes: Uint8Array, destination: TransportAddress): string | undefined {
    if (destination.port === 0) return 'ERR_SOCKET_BAD_PORT'
    if (bytes.length > longestPayload) return 'EMSGSIZE'
    if (destination.family !== this.#local.family) return 'EAFNOSUPPORT'
    const packet = new Packet('udp', this.#local, destination, bytes)
    packet.hops = this.#hops
    return this.#host.transmit(packet)
  }

  #bind(options: UdpBindOptions): void {
    if (this.#state !== 'opening') return
    const result = this.#host.bindUdp(this, options)
    if (typeof result === 'string') {
      this.#state = 'closed'
      this.#handlers.failed(result)
      return
    }
    this.#state = 'open'
    this.#local = result
    this.receiveBufferBytes = options.receiveBufferBytes ?? defaultReceiveBufferBytes
    this.#handlers.bound(result)
  }
}

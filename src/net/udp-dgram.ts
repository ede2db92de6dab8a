/**
 * UDP over node:dgram: every platform, one system call a packet. What dgram throws, rejects or emits is turned
 * into `sendFailed`, for a packet must never end the process.
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { UdpBindOptions, UdpHandlers, UdpSocket } from '../core/host.ts'
import { formatIp, readIp } from '../core/ip.ts'
import { type AddressWords, type MutableAddressWords, TransportAddress } from '../core/transport-address.ts'

/** The kernel's default holds about 90 datagrams of 1,200 bytes: a burst of 5,000 loses 98 %. */
const defaultReceiveBufferBytes = 4 * 1024 * 1024

/** Limit: more is EMSGSIZE from the kernel; saying so beforehand spares the call. */
const longestPayload = 65_507

export function bindDgram(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket {
  return new DgramSocket(options, handlers)
}

/** `opening` until the kernel has answered; then `open`, or `closed` for good. */
type State = 'opening' | 'open' | 'closed'

class DgramSocket implements UdpSocket {
  readonly #socket: Socket
  readonly #handlers: UdpHandlers
  readonly #isIPv6: boolean
  readonly #source: MutableAddressWords = { a: 0, b: 0, c: 0, d: 0, port: 0 }
  readonly #destinations = new AddressTexts()
  /** One function for all packets. dgram calls back with null or an error. */
  readonly #sent: (error: Error | null) => void
  #sourceText = ''
  #state: State = 'opening'
  receiveBufferBytes: number | undefined

  constructor(options: UdpBindOptions, handlers: UdpHandlers) {
    const { address, reusePort, receiveBufferBytes, multicastGroups } = options
    this.#handlers = handlers
    this.#isIPv6 = address.family === 'IPv6'
    this.#sent = (error) => {
      if (error !== null && error !== undefined) this.#sendFailed(error)
    }
    const socket = createSocket({
      type: this.#isIPv6 ? 'udp6' : 'udp4',
      ipv6Only: this.#isIPv6,
      reuseAddr: multicastGroups !== undefined,
      reusePort: reusePort === true,
      // Destinations are literals already; Node's own look-up would go through the resolver's machinery.
      lookup: (host, _options, callback) => callback(null, host, this.#isIPv6 ? 6 : 4),
    })
    this.#socket = socket
    socket.on('error', (error) => this.#failed(error))
    socket.on('listening', () => {
      for (const group of multicastGroups ?? []) this.#join(group)
      this.#bound(receiveBufferBytes ?? defaultReceiveBufferBytes)
    })
    socket.on('message', (bytes, remote) => this.#received(bytes, remote))
    // With a literal address bind() answers at once: the caller shall have the socket in hand by then.
    queueMicrotask(() => {
      if (this.#state === 'opening') socket.bind({ address: address.ip, port: address.port, exclusive: true })
    })
  }

  send(bytes: Uint8Array, destination: AddressWords, isReported = true): void {
    if (this.#state !== 'open') return
    // dgram throws for the first of these, from inside the caller.
    if (destination.port === 0) this.#handlers.sendFailed('ERR_SOCKET_BAD_PORT')
    else if (bytes.length > longestPayload) this.#handlers.sendFailed('EMSGSIZE')
    else this.#hand(bytes, destination, isReported)
  }

  setTtl(hops: number): void {
    if (this.#state === 'open') this.#socket.setTTL(hops)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#socket.close()
  }

  /** A callback costs a quarter of a packet. */
  #hand(bytes: Uint8Array, destination: AddressWords, isReported: boolean): void {
    const ip = this.#destinations.textOf(destination)
    try {
      if (isReported) this.#socket.send(bytes, destination.port, ip, this.#sent)
      else this.#socket.send(bytes, destination.port, ip)
    } catch (error) {
      this.#sendFailed(error)
    }
  }

  #join(group: TransportAddress): void {
    try {
      this.#socket.addMembership(group.ip)
    } catch (error) {
      this.#sendFailed(error)
    }
  }

  #bound(receiveBufferBytes: number): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    try {
      this.#socket.setRecvBufferSize(receiveBufferBytes)
      this.receiveBufferBytes = this.#socket.getRecvBufferSize()
    } catch {
      // A platform that refuses a size keeps its default; receiveBufferBytes stays unknown.
    }
    const { address, port } = this.#socket.address()
    this.#handlers.bound(TransportAddress.of(address, port))
  }

  #received(bytes: Uint8Array, remote: RemoteInfo): void {
    if (this.#state !== 'open') return
    const source = this.#source
    // Packets come in runs from one address: the text is parsed when it changes.
    if (remote.address !== this.#sourceText) {
      if (!readIp(remote.address, source)) return
      this.#sourceText = remote.address
    }
    source.port = remote.port
    this.#handlers.datagram(bytes, source)
  }

  #failed(error: Error): void {
    if (this.#state === 'opening') {
      this.close()
      this.#handlers.failed(codeOf(error))
    } else if (this.#state === 'open') this.#handlers.sendFailed(codeOf(error))
  }

  #sendFailed(error: unknown): void {
    if (this.#state === 'open') this.#handlers.sendFailed(codeOf(error))
  }
}

/**
 * The text forms of the addresses last sent to: making one anew costs as much as half a packet. As many as the socket has
 * use for, so that a relay socket with its one peer costs little and a listening one remembers all its clients.
 */
class AddressTexts {
  #words = new Int32Array(fewestTexts * 4)
  #texts: string[] = new Array(fewestTexts).fill('')
  /** Addresses that have taken the place of another. */
  #evictions = 0

  textOf(address: AddressWords): string {
    const { a, b, c, d } = address
    const hash = Math.imul(d ^ (a << 7) ^ (b << 13) ^ c, 0x9e3779b1)
    const slot = (hash >>> 16) & (this.#texts.length - 1)
    const at = slot * 4
    const words = this.#words
    const known = this.#texts[slot]!
    if (
      known !== '' &&
      words[at + 3] === d &&
      words[at + 2] === c &&
      words[at + 1] === b &&
      words[at] === a
    ) {
      return known
    }
    const text = formatIp(address)
    if (known !== '' && ++this.#evictions > this.#texts.length) this.#grow()
    else {
      words[at] = a
      words[at + 1] = b
      words[at + 2] = c
      words[at + 3] = d
      this.#texts[slot] = text
    }
    return text
  }

  /** Begins anew with more room. */
  #grow(): void {
    const size = Math.min(this.#texts.length * 4, mostTexts)
    this.#evictions = 0
    if (size === this.#texts.length) return
    this.#words = new Int32Array(size * 4)
    this.#texts = new Array(size).fill('')
  }
}

const fewestTexts = 4
/** Limit: of one socket. With more addresses than that, some are written anew. */
const mostTexts = 4096

function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code ?? 'UNKNOWN'
}

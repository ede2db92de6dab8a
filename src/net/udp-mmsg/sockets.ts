/** The sockets of a batching driver: file descriptors by number, and what is known of each. */

import { mappedPrefix } from '../../core/ip.ts'
import type { SocketId } from '../../core/sans-io.ts'
import { type MutableAddressWords, TransportAddress } from '../../core/transport-address.ts'
import { firstRelaySocket, isRelaySocket } from '../../turn/socket-numbers.ts'
import { constants as c, errnoName } from './abi.ts'
import type { Arena } from './arena.ts'
import type { Libc } from './libc.ts'
import { readSocketAddress, socketAddressBytes, writeSocketAddress } from './socket-address.ts'

/** Limit: of one segmented message, by the kernel (UDP_MAX_SEGMENTS); 128 from 6.9 on. */
export const longestRun = 64

export class MmsgSocket {
  readonly id: SocketId
  readonly fd: number
  readonly isIPv6: boolean
  readonly local: TransportAddress
  /** What the system has granted a listening socket. */
  readonly receiveBufferBytes: number | undefined
  /** Where the socket stands in the table, and how often that place has been given before. */
  index = -1
  generation = 0
  /** Runs of packets longer than this are sent singly: the path has refused a segmented one. 0: all runs. */
  longestSegment = 65_535
  /** The place in the list of what is being sent; -1 between. */
  sendList = -1
  /** How many datagrams the next read asks for. */
  appetite = 1

  constructor(id: SocketId, fd: number, local: TransportAddress, receiveBufferBytes: number | undefined) {
    this.id = id
    this.fd = fd
    this.local = local
    this.isIPv6 = local.family === 'IPv6'
    this.receiveBufferBytes = receiveBufferBytes
  }
}

export interface SocketOptions {
  /** Several threads listen on one address, and the kernel spreads the clients over them. */
  readonly reusePort: boolean
  readonly receiveBufferBytes: number
  readonly sendBufferBytes: number
}

/** Opens and binds UDP sockets. What it needs of the arena is taken once. */
export class SocketOpener {
  readonly #libc: Libc
  readonly #arena: Arena
  readonly #name: number
  readonly #length: number
  readonly #namePointer: bigint
  readonly #lengthPointer: bigint
  readonly #words: MutableAddressWords = { a: 0, b: 0, c: mappedPrefix, d: 0, port: 0 }

  constructor(libc: Libc, arena: Arena) {
    this.#libc = libc
    this.#arena = arena
    this.#name = arena.take(socketAddressBytes)
    this.#length = arena.take(8, 8)
    this.#namePointer = arena.pointer(this.#name)
    this.#lengthPointer = arena.pointer(this.#length)
  }

  /** The socket, or the system's reason such as 'EADDRINUSE'. */
  open(id: SocketId, address: TransportAddress, options: SocketOptions): MmsgSocket | string {
    const libc = this.#libc
    const isIPv6 = address.family === 'IPv6'
    const fd = libc.socket(
      isIPv6 ? c.AF_INET6 : c.AF_INET,
      c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC,
      0,
    )
    if (fd < 0) return errnoName(libc.errno())
    if (isIPv6) this.#set(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 1)
    if (options.reusePort) this.#set(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
    const length = writeSocketAddress(this.#arena.words, this.#name >> 2, address)
    if (libc.bind(fd, this.#namePointer, length) < 0) {
      const reason = errnoName(libc.errno())
      libc.close(fd)
      return reason
    }
    this.#setBuffer(fd, c.SO_RCVBUFFORCE, c.SO_RCVBUF, options.receiveBufferBytes)
    // A relay socket serves one client: it needs no more than it has, and every call counts when clients come.
    const isRelay = isRelaySocket(id)
    if (!isRelay) this.#setBuffer(fd, c.SO_SNDBUFFORCE, c.SO_SNDBUF, options.sendBufferBytes)
    const granted = isRelay ? undefined : this.#get(fd, c.SOL_SOCKET, c.SO_RCVBUF) / 2
    const socket = new MmsgSocket(id, fd, address.port > 0 ? address : this.#localOf(fd), granted)
    // Fragments are what RFC 8656 §14 has unless the client asks for DONT-FRAGMENT.
    this.setDontFragment(socket, false)
    return socket
  }

  /** A socket that is open already, as `open` has made it. */
  adopt(id: SocketId, fd: number): MmsgSocket {
    return new MmsgSocket(id, fd, this.#localOf(fd), this.#get(fd, c.SOL_SOCKET, c.SO_RCVBUF) / 2)
  }

  setDontFragment({ fd, isIPv6 }: MmsgSocket, value: boolean): void {
    const discovery = value ? c.IP_PMTUDISC_DO : c.IP_PMTUDISC_DONT
    if (isIPv6) this.#set(fd, c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER, discovery)
    else this.#set(fd, c.IPPROTO_IP, c.IP_MTU_DISCOVER, discovery)
  }

  /** Traffic classes, to be kept, and datagrams of a run in one piece, where the system can. */
  askForControlData({ fd, isIPv6 }: MmsgSocket): void {
    this.#set(fd, c.SOL_UDP, c.UDP_GRO, 1)
    if (isIPv6) this.#set(fd, c.IPPROTO_IPV6, c.IPV6_RECVTCLASS, 1)
    else this.#set(fd, c.IPPROTO_IP, c.IP_RECVTOS, 1)
  }

  /** ICMP errors about what the socket has sent. */
  askForErrors({ fd, isIPv6 }: MmsgSocket): void {
    if (isIPv6) this.#set(fd, c.IPPROTO_IPV6, c.IPV6_RECVERR, 1)
    else this.#set(fd, c.IPPROTO_IP, c.IP_RECVERR, 1)
  }

  #set(fd: number, level: number, option: number, value: number): boolean {
    this.#arena.words[this.#length >> 2] = value
    return this.#libc.setsockopt(fd, level, option, this.#lengthPointer, 4) === 0
  }

  /** Root may have more than the system's limit. */
  #setBuffer(fd: number, force: number, option: number, bytes: number): void {
    if (!this.#set(fd, c.SOL_SOCKET, force, bytes)) this.#set(fd, c.SOL_SOCKET, option, bytes)
  }

  #get(fd: number, level: number, option: number): number {
    const words = this.#arena.words
    words[this.#length >> 2] = 4
    this.#libc.getsockopt(fd, level, option, this.#namePointer, this.#lengthPointer)
    return words[this.#name >> 2]!
  }

  #localOf(fd: number): TransportAddress {
    this.#arena.words[this.#length >> 2] = socketAddressBytes
    this.#libc.getsockname(fd, this.#namePointer, this.#lengthPointer)
    readSocketAddress(this.#arena.words, this.#name >> 2, this.#words)
    return TransportAddress.from({ ...this.#words })
  }
}

/** Sockets by place, in arrays that are as long as there were sockets at a time. */
export class SocketTable {
  readonly #places: (MmsgSocket | undefined)[] = []
  readonly #generations: number[] = []
  readonly #free: number[] = []
  readonly #byId = new Map<SocketId, MmsgSocket>()
  /** Relay sockets are numbered from 65536 on, and the numbers are used again. */
  readonly #relays: (MmsgSocket | undefined)[] = []

  /** The socket of that number: for relayed packets, without hashing. */
  get(id: SocketId): MmsgSocket | undefined {
    return id >= firstRelaySocket ? this.#relays[id - firstRelaySocket] : this.#byId.get(id)
  }

  /** What an event names; undefined if that socket has been closed since. */
  atPlace(index: number, generation: number): MmsgSocket | undefined {
    const socket = this.#places[index]
    return socket !== undefined && socket.generation === generation ? socket : undefined
  }

  add(socket: MmsgSocket): void {
    socket.index = this.#free.pop() ?? this.#places.length
    socket.generation = this.#generations[socket.index] ?? 0
    this.#places[socket.index] = socket
    if (socket.id >= firstRelaySocket) this.#relays[socket.id - firstRelaySocket] = socket
    else this.#byId.set(socket.id, socket)
  }

  remove(socket: MmsgSocket): void {
    this.#places[socket.index] = undefined
    this.#generations[socket.index] = (socket.generation + 1) & 0x7fff_ffff
    this.#free.push(socket.index)
    if (socket.id >= firstRelaySocket) this.#relays[socket.id - firstRelaySocket] = undefined
    else this.#byId.delete(socket.id)
  }

  all(): MmsgSocket[] {
    return this.#places.filter((socket) => socket !== undefined)
  }
}

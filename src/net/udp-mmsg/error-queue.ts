/** ICMP errors about what a socket has sent (IP_RECVERR): the system keeps them in a queue of their own. */

import { mappedPrefix } from '../../core/ip.ts'
import type { MutableAddressWords } from '../../core/transport-address.ts'
import { constants as c, cmsghdr, errno, extendedError, iovec, msghdr } from './abi.ts'
import type { Arena } from './arena.ts'
import type { Libc } from './libc.ts'
import { readSocketAddress, socketAddressBytes } from './socket-address.ts'
import type { MmsgSocket } from './sockets.ts'

export interface IcmpReport {
  /** Where the datagram was sent to; overwritten by the next report. */
  readonly peer: MutableAddressWords
  type: number
  code: number
  /** The MTU of the next hop, where the error tells one. */
  data: number
}

/** Limit: errors read at a time; what is left is read when the system tells of it again. */
const longestRead = 16

const controlBytes = 256

/** ICMP's and ICMPv6's way to say that a datagram is too long for the next hop. */
const tooBig = { IPv4: { type: 3, code: 4 }, IPv6: { type: 2, code: 0 } } as const

export class ErrorQueue {
  readonly #libc: Libc
  readonly #arena: Arena
  readonly #message: number
  readonly #messagePointer: bigint
  readonly #name: number
  readonly #control: number
  readonly #report: IcmpReport = {
    peer: { a: 0, b: 0, c: mappedPrefix, d: 0, port: 0 },
    type: 0,
    code: 0,
    data: 0,
  }

  constructor(libc: Libc, arena: Arena) {
    this.#libc = libc
    this.#arena = arena
    this.#message = arena.take(msghdr.size)
    this.#messagePointer = arena.pointer(this.#message)
    this.#name = arena.take(socketAddressBytes)
    this.#control = arena.take(controlBytes)
    // What the datagram had in it is of no interest: one byte of it has room.
    const iov = arena.take(iovec.size + 8, 8)
    arena.setPointer(iov, iov + iovec.size)
    arena.words[(iov + iovec.length) >> 2] = 1
    arena.setPointer(this.#message + msghdr.name, this.#name)
    arena.setPointer(this.#message + msghdr.iov, iov)
    arena.words[(this.#message + msghdr.iovLength) >> 2] = 1
    arena.setPointer(this.#message + msghdr.control, this.#control)
  }

  /** Calls back for each ICMP error that is there. */
  read(socket: MmsgSocket, tell: (report: IcmpReport) => void): void {
    const { words } = this.#arena
    for (let i = 0; i < longestRead; i++) {
      words[(this.#message + msghdr.nameLength) >> 2] = socketAddressBytes
      words[(this.#message + msghdr.controlLength) >> 2] = controlBytes
      const flags = c.MSG_ERRQUEUE | c.MSG_DONTWAIT
      const length = this.#libc.recvmsg(socket.fd, this.#messagePointer, flags)
      if (length < 0) {
        if (this.#libc.errno() === errno.EINTR) continue
        return
      }
      if (this.#readReport(socket)) tell(this.#report)
    }
  }

  #readReport(socket: MmsgSocket): boolean {
    const { words, bytes } = this.#arena
    if (!readSocketAddress(words, this.#name >> 2, this.#report.peer)) return false
    const end = this.#control + words[(this.#message + msghdr.controlLength) >> 2]!
    for (let at = this.#control; at + cmsghdr.data + extendedError.size <= end; ) {
      const size = words[at >> 2]!
      if (size < cmsghdr.data) return false
      const level = words[(at + cmsghdr.level) >> 2]!
      const type = words[(at + cmsghdr.type) >> 2]!
      const isError =
        (level === c.IPPROTO_IP && type === c.IP_RECVERR) ||
        (level === c.IPPROTO_IPV6 && type === c.IPV6_RECVERR)
      if (isError) return this.#readError(socket, bytes, at + cmsghdr.data)
      at += (size + 7) & ~7
    }
    return false
  }

  #readError(socket: MmsgSocket, bytes: Uint8Array, at: number): boolean {
    const { words } = this.#arena
    const origin = bytes[at + extendedError.origin]
    const report = this.#report
    report.data = words[(at + extendedError.info) >> 2]! >>> 0
    if (origin === c.SO_EE_ORIGIN_ICMP || origin === c.SO_EE_ORIGIN_ICMP6) {
      report.type = bytes[at + extendedError.type]!
      report.code = bytes[at + extendedError.code]!
      return true
    }
    // The first hop is ours: the system refuses what a router would have refused.
    if (origin !== c.SO_EE_ORIGIN_LOCAL || words[(at + extendedError.errno) >> 2] !== errno.EMSGSIZE)
      return false
    const { type, code } = tooBig[socket.isIPv6 ? 'IPv6' : 'IPv4']
    report.type = type
    report.code = code
    return true
  }
}

/** Single system calls with the driver's own structures, for tests that look at what the kernel makes of them. */

import { readFileSync } from 'node:fs'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { constants as c, cmsghdr, errnoName, iovec, mmsghdr, msghdr } from '../../src/net/udp-mmsg/abi.ts'
import { Arena } from '../../src/net/udp-mmsg/arena.ts'
import type { Libc } from '../../src/net/udp-mmsg/libc.ts'
import {
  readSocketAddress,
  socketAddressBytes,
  writeSocketAddress,
} from '../../src/net/udp-mmsg/socket-address.ts'

export interface ControlItem {
  readonly level: number
  readonly type: number
  readonly data: Uint8Array
}

export interface ReceivedMessage {
  readonly from: string
  readonly bytes: Uint8Array
  readonly flags: number
  readonly control: readonly ControlItem[]
}

const room = { payload: 70_000, control: 256 } as const

export class KernelLab {
  readonly libc: Libc
  readonly arena: Arena
  readonly #value: number
  readonly #name: number
  readonly #message: number
  readonly #iov: number
  readonly #payload: number
  readonly #control: number
  readonly #open: number[] = []

  constructor(libc: Libc) {
    this.libc = libc
    const arena = Arena.map(libc, 1 << 20)
    if (arena === undefined) throw new Error(this.reason)
    this.arena = arena
    this.#value = arena.take(16)
    this.#name = arena.take(socketAddressBytes)
    this.#message = arena.take(mmsghdr.size)
    this.#iov = arena.take(iovec.size)
    this.#payload = arena.take(room.payload)
    this.#control = arena.take(room.control)
  }

  /** Why the last call has failed. */
  get reason(): string {
    return errnoName(this.libc.errno())
  }

  /** Keeps the descriptor, to be closed at the end; throws if there is none. */
  keep(fd: number): number {
    if (fd < 0) throw new Error(this.reason)
    this.#open.push(fd)
    return fd
  }

  /** A UDP socket on loopback, of IPv6 if asked for, at a port of the system's choice or that one. */
  socket(family: 'IPv4' | 'IPv6' = 'IPv4', port = 0): { fd: number; address: TransportAddress } {
    const domain = family === 'IPv4' ? c.AF_INET : c.AF_INET6
    const fd = this.keep(this.libc.socket(domain, c.SOCK_DGRAM, 0))
    const refusal = this.bind(fd, TransportAddress.of(family === 'IPv4' ? '127.0.0.1' : '::1', port))
    if (refusal !== undefined) throw new Error(refusal)
    return { fd, address: this.nameOf(fd) }
  }

  bind(fd: number, address: TransportAddress): string | undefined {
    const { libc, arena } = this
    const length = writeSocketAddress(arena.words, this.#name >> 2, address)
    return libc.bind(fd, arena.pointer(this.#name), length) < 0 ? this.reason : undefined
  }

  nameOf(fd: number): TransportAddress {
    this.arena.words[this.#value >> 2] = socketAddressBytes
    this.libc.getsockname(fd, this.arena.pointer(this.#name), this.arena.pointer(this.#value))
    return this.#readName()
  }

  set(fd: number, level: number, option: number, value: number): string | undefined {
    const { libc, arena } = this
    arena.words[this.#value >> 2] = value
    return libc.setsockopt(fd, level, option, arena.pointer(this.#value), 4) < 0 ? this.reason : undefined
  }

  get(fd: number, level: number, option: number): number {
    const { libc, arena } = this
    arena.words[(this.#value + 8) >> 2] = 4
    libc.getsockopt(fd, level, option, arena.pointer(this.#value), arena.pointer(this.#value + 8))
    return arena.words[this.#value >> 2]!
  }

  /** Sends by sendmsg, with one number as control data if given. Undefined, or the reason why not. */
  send(
    fd: number,
    to: TransportAddress,
    bytes: Uint8Array,
    control?: { readonly level: number; readonly type: number; readonly size: 2 | 4; readonly value: number },
  ): string | undefined {
    const { libc, arena } = this
    this.#prepare(bytes.length, control === undefined ? 0 : cmsghdr.spaceOfInt)
    arena.words[(this.#message + msghdr.nameLength) >> 2] = writeSocketAddress(
      arena.words,
      this.#name >> 2,
      to,
    )
    arena.bytes.set(bytes, this.#payload)
    if (control !== undefined) {
      const at = this.#control >> 2
      arena.words[at] = cmsghdr.size + control.size
      arena.words[at + 1] = 0
      arena.words[at + (cmsghdr.level >> 2)] = control.level
      arena.words[at + (cmsghdr.type >> 2)] = control.type
      arena.words[at + (cmsghdr.data >> 2)] = control.value
    }
    return libc.sendmsg(fd, arena.pointer(this.#message), 0) < 0 ? this.reason : undefined
  }

  /** What recvmsg gives, or the reason why it gives nothing. */
  receive(
    fd: number,
    flags: number = c.MSG_DONTWAIT,
    payloadBytes: number = room.payload,
  ): ReceivedMessage | string {
    const { libc, arena } = this
    this.#prepare(payloadBytes, room.control)
    arena.words[(this.#message + msghdr.nameLength) >> 2] = socketAddressBytes
    const length = libc.recvmsg(fd, arena.pointer(this.#message), flags)
    if (length < 0) return this.reason
    return {
      from: `${this.#readName()}`,
      bytes: arena.bytes.slice(this.#payload, this.#payload + length),
      flags: arena.words[(this.#message + msghdr.flags) >> 2]!,
      control: this.#readControl(arena.words[(this.#message + msghdr.controlLength) >> 2]!),
    }
  }

  /** As `receive`; throws when there is nothing. On loopback what was sent is there at once. */
  mustReceive(fd: number, flags?: number, payloadBytes?: number): ReceivedMessage {
    const message = this.receive(fd, flags, payloadBytes)
    if (typeof message === 'string') throw new Error(message)
    return message
  }

  /** Writes an address, and where it stands into a msghdr. */
  writeName(message: number, address: TransportAddress): void {
    const { arena } = this
    const name = arena.take(socketAddressBytes)
    arena.words[(message + msghdr.nameLength) >> 2] = writeSocketAddress(arena.words, name >> 2, address)
    arena.setPointer(message + msghdr.name, name)
  }

  close(): void {
    for (const fd of this.#open.splice(0)) this.libc.close(fd)
    this.arena.unmap()
  }

  #prepare(payloadBytes: number, controlBytes: number): void {
    const { arena } = this
    arena.setPointer(this.#message + msghdr.name, this.#name)
    arena.setPointer(this.#message + msghdr.iov, this.#iov)
    arena.words[(this.#message + msghdr.iovLength) >> 2] = 1
    arena.setPointer(this.#message + msghdr.control, this.#control)
    arena.words[(this.#message + msghdr.controlLength) >> 2] = controlBytes
    arena.words[(this.#message + msghdr.flags) >> 2] = 0
    arena.setPointer(this.#iov + iovec.base, this.#payload)
    arena.words[(this.#iov + iovec.length) >> 2] = payloadBytes
  }

  #readName(): TransportAddress {
    const words = { a: 0, b: 0, c: 0, d: 0, port: 0 }
    readSocketAddress(this.arena.words, this.#name >> 2, words)
    return TransportAddress.from(words)
  }

  #readControl(length: number): ControlItem[] {
    const { words, bytes } = this.arena
    const items: ControlItem[] = []
    for (let at = this.#control; at + cmsghdr.size <= this.#control + length; ) {
      const size = words[(at + cmsghdr.length) >> 2]!
      items.push({
        level: words[(at + cmsghdr.level) >> 2]!,
        type: words[(at + cmsghdr.type) >> 2]!,
        data: bytes.slice(at + cmsghdr.data, at + size),
      })
      at += (size + 7) & ~7
    }
    return items
  }
}

/** What the kernel says of a descriptor of ours. */
export function descriptorInfo(fd: number): string {
  return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
}

/** The flags that a descriptor was opened with, as the kernel has them. */
export function descriptorFlags(fd: number): number {
  return Number.parseInt(/^flags:\s*(\d+)$/m.exec(descriptorInfo(fd))![1]!, 8)
}

/**
 * Packets on their way out, gathered until all that has come in is dealt with: runs of packets from one socket to
 * one destination become one message, which the kernel cuts into packets again (UDP_SEGMENT). A packet is a range of
 * the arena; nothing is copied, and nothing allocated.
 */

import { isIPv4 } from '../../core/ip.ts'
import type { AddressWords } from '../../core/transport-address.ts'
import { constants as c, cmsghdr, iovec, mmsghdr, msghdr, sockaddrIn, sockaddrIn6 } from './abi.ts'
import type { Arena } from './arena.ts'
import { isSocketAddress, socketAddressBytes, writeSocketAddress } from './socket-address.ts'
import type { MmsgSocket } from './sockets.ts'

/** Limit: packets in one message, by the kernel (UDP_MAX_SEGMENTS before Linux 6.9). */
const longestRun = 64

/** Limit: bytes in one message, with the headers of IPv6. */
const longestMessage = 65_487

/** UDP_SEGMENT and IP_TOS or IPV6_TCLASS. */
const controlBytes = 2 * cmsghdr.spaceOfInt

const tableSize = 4096

export class Outbox {
  /** Limit: when it is reached, what is there has to leave first. */
  readonly capacity: number
  readonly #arena: Arena
  readonly #words: Int32Array
  // A packet: where it lies, and which one of its run follows.
  readonly #offsets: Int32Array
  readonly #lengths: Int32Array
  readonly #nextPacket: Int32Array
  packets = 0
  // A run: packets of one socket to one destination. All but the last are `#segment` long.
  readonly #sockets: MmsgSocket[] = []
  readonly #segment: Int32Array
  readonly #bytes: Int32Array
  readonly #count: Int32Array
  readonly #first: Int32Array
  readonly #last: Int32Array
  readonly #trafficClass: Int32Array
  readonly #isOpen: Uint8Array
  readonly #names: number
  runs = 0
  /** The newest run, plus one, of a socket and destination. */
  readonly #table = new Int16Array(tableSize)
  readonly #tableSlot: Int32Array
  // Messages as the kernel reads them.
  readonly #messages: number
  readonly #iovs: number
  readonly #controls: number
  readonly #pointers: bigint[]
  #iovsUsed = 0

  static arenaBytes(capacity: number): number {
    return capacity * (socketAddressBytes + mmsghdr.size + iovec.size + controlBytes) + 4096
  }

  constructor(arena: Arena, capacity: number) {
    this.capacity = capacity
    this.#arena = arena
    this.#words = arena.words
    const column = () => new Int32Array(capacity)
    this.#offsets = column()
    this.#lengths = column()
    this.#nextPacket = column()
    this.#segment = column()
    this.#bytes = column()
    this.#count = column()
    this.#first = column()
    this.#last = column()
    this.#trafficClass = column()
    this.#tableSlot = column()
    this.#isOpen = new Uint8Array(capacity)
    this.#names = arena.take(capacity * socketAddressBytes)
    this.#messages = arena.take(capacity * mmsghdr.size)
    this.#iovs = arena.take(capacity * iovec.size)
    this.#controls = arena.take(capacity * controlBytes)
    this.#pointers = Array.from({ length: capacity }, (_, i) =>
      arena.pointer(this.#messages + i * mmsghdr.size),
    )
    for (let i = 0; i < capacity; i++) arena.setPointer(this.#iovs + i * iovec.size, 0)
  }

  get isFull(): boolean {
    return this.packets === this.capacity
  }

  /** Adds the packet that lies at `offset` of the arena, to stay there until it has left. The outbox is not full. */
  add(
    socket: MmsgSocket,
    destination: AddressWords,
    offset: number,
    length: number,
    trafficClass: number,
  ): void {
    const packet = this.packets++
    this.#offsets[packet] = offset
    this.#lengths[packet] = length
    this.#nextPacket[packet] = -1
    let slot = this.#hash(socket, destination)
    for (;;) {
      const run = this.#table[slot]! - 1
      if (run < 0) break
      if (this.#sockets[run] === socket && this.#isTo(run, destination)) {
        if (this.#append(run, packet, length, trafficClass)) return
        break
      }
      slot = (slot + 1) & (tableSize - 1)
    }
    const run = this.runs++
    this.#table[slot] = run + 1
    this.#tableSlot[run] = slot
    this.#sockets[run] = socket
    this.#segment[run] = length
    this.#bytes[run] = length
    this.#count[run] = 1
    this.#first[run] = packet
    this.#last[run] = packet
    this.#trafficClass[run] = trafficClass
    this.#isOpen[run] = length > 0 && length <= socket.longestSegment ? 1 : 0
    writeSocketAddress(this.#words, (this.#names + run * socketAddressBytes) >> 2, destination)
  }

  socketOf(run: number): MmsgSocket {
    return this.#sockets[run]!
  }

  packetsIn(run: number): number {
    return this.#count[run]!
  }

  segmentOf(run: number): number {
    return this.#segment[run]!
  }

  /** Writes the run as message number `message`, for the kernel to read. */
  writeMessage(run: number, message: number): void {
    const words = this.#words
    const count = this.#count[run]!
    const at = (this.#messages + message * mmsghdr.size) >> 2
    const iovs = this.#iovs + this.#iovsUsed * iovec.size
    this.#iovsUsed += count
    let packet = this.#first[run]!
    for (let iov = iovs; packet >= 0; iov += iovec.size) {
      this.#writeIov(iov, packet)
      packet = this.#nextPacket[packet]!
    }
    this.#writeHeader(at, run)
    this.#arena.setPointer((at << 2) + msghdr.iov, iovs)
    words[at + (msghdr.iovLength >> 2)] = count
    const control = this.#controls + message * controlBytes
    let length = 0
    if (count > 1) length += this.#writeControl(control, c.SOL_UDP, c.UDP_SEGMENT, 2, this.#segment[run]!)
    if (this.#trafficClass[run] !== 0) length += this.#writeTrafficClass(control + length, run)
    words[at + (msghdr.controlLength >> 2)] = length
    if (length > 0) this.#arena.setPointer((at << 2) + msghdr.control, control)
  }

  /** The address of a message, as `struct mmsghdr` and as its `struct msghdr`. */
  pointer(message: number): bigint {
    return this.#pointers[message]!
  }

  /** Where a message stands in the arena. */
  offsetOf(message: number): number {
    return this.#messages + message * mmsghdr.size
  }

  /** Calls back with each packet of the run, written as message number `message`, for those that have to go singly. */
  forEachPacket(run: number, message: number, send: () => void): void {
    const at = (this.#messages + message * mmsghdr.size) >> 2
    const words = this.#words
    const iov = this.#iovs
    for (let packet = this.#first[run]!; packet >= 0; packet = this.#nextPacket[packet]!) {
      this.#writeIov(iov, packet)
      this.#writeHeader(at, run)
      this.#arena.setPointer((at << 2) + msghdr.iov, iov)
      words[at + (msghdr.iovLength >> 2)] = 1
      const control = this.#controls + message * controlBytes
      const length = this.#trafficClass[run] === 0 ? 0 : this.#writeTrafficClass(control, run)
      words[at + (msghdr.controlLength >> 2)] = length
      if (length > 0) this.#arena.setPointer((at << 2) + msghdr.control, control)
      send()
    }
  }

  /** What was there has left, or is lost. */
  clear(): void {
    for (let run = 0; run < this.runs; run++) this.#table[this.#tableSlot[run]!] = 0
    this.packets = 0
    this.runs = 0
    this.#iovsUsed = 0
  }

  #append(run: number, packet: number, length: number, trafficClass: number): boolean {
    if (this.#isOpen[run] === 0 || this.#trafficClass[run] !== trafficClass) return false
    const bytes = this.#bytes[run]! + length
    if (length > this.#segment[run]! || length === 0 || bytes > longestMessage) return false
    this.#nextPacket[this.#last[run]!] = packet
    this.#last[run] = packet
    this.#bytes[run] = bytes
    const count = this.#count[run]! + 1
    this.#count[run] = count
    if (length < this.#segment[run]! || count === longestRun) this.#isOpen[run] = 0
    return true
  }

  #isTo(run: number, destination: AddressWords): boolean {
    return isSocketAddress(this.#words, (this.#names + run * socketAddressBytes) >> 2, destination)
  }

  #hash(socket: MmsgSocket, { a, b, c: third, d, port }: AddressWords): number {
    let h = Math.imul(d ^ (port << 16) ^ port, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15) ^ socket.index, 0x85ebca6b)
    h ^= Math.imul(a ^ b ^ third, 0xc2b2ae35)
    return (h ^ (h >>> 13)) & (tableSize - 1)
  }

  #writeIov(at: number, packet: number): void {
    this.#arena.setPointer(at, this.#offsets[packet]!)
    this.#words[(at + iovec.length) >> 2] = this.#lengths[packet]!
  }

  #writeHeader(at: number, run: number): void {
    this.#arena.setPointer(at << 2, this.#names + run * socketAddressBytes)
    this.#words[at + (msghdr.nameLength >> 2)] = this.#sockets[run]!.isIPv6
      ? sockaddrIn6.size
      : sockaddrIn.size
  }

  #writeTrafficClass(at: number, run: number): number {
    return this.#sockets[run]!.isIPv6
      ? this.#writeControl(at, c.IPPROTO_IPV6, c.IPV6_TCLASS, 4, this.#trafficClass[run]!)
      : this.#writeControl(at, c.IPPROTO_IP, c.IP_TOS, 4, this.#trafficClass[run]!)
  }

  #writeControl(at: number, level: number, type: number, bytes: number, value: number): number {
    const words = this.#words
    words[at >> 2] = cmsghdr.size + bytes
    words[(at + 4) >> 2] = 0
    words[(at + cmsghdr.level) >> 2] = level
    words[(at + cmsghdr.type) >> 2] = type
    words[(at + cmsghdr.data) >> 2] = value
    return cmsghdr.spaceOfInt
  }
}

/** Whether a destination suits a socket: the kernel takes an IPv4 address on an IPv4 socket alone. */
export function suits(socket: MmsgSocket, destination: AddressWords): boolean {
  return socket.isIPv6 !== isIPv4(destination)
}

/**
 * Receiving by epoll and recvmmsg, sending by sendmmsg: a call for each socket and turn. Works on every Linux that
 * node:ffi runs on.
 */

import { constants as c, epollEvents, errno, errnoName, iovec, mmsghdr, msghdr } from './abi.ts'
import type { Arena } from './arena.ts'
import type { IoCounters } from './counters.ts'
import type { Io, IoEvents } from './io.ts'
import type { Libc } from './libc.ts'
import type { Outbox } from './outbox.ts'
import { type Slots, slot } from './slots.ts'
import type { MmsgSocket, SocketTable } from './sockets.ts'
import { SyscallSender } from './syscall-sender.ts'

const eventCapacity = 512
/** Limit: datagrams of one socket in a row, so that a loud one does not keep the others waiting. */
const longestRead = 64

export class EpollIo implements Io {
  readonly name = 'recvmmsg'
  readonly #libc: Libc
  readonly #arena: Arena
  readonly #slots: Slots
  readonly #sockets: SocketTable
  readonly #counters: IoCounters
  readonly #events: IoEvents
  readonly #sender: SyscallSender
  readonly descriptor: number
  readonly #layout: (typeof epollEvents)['x64'] | (typeof epollEvents)['arm64']
  readonly #eventList: number
  readonly #eventListPointer: bigint
  readonly #interest: number
  readonly #interestPointer: bigint
  readonly #messages: number
  readonly #messagePointers: bigint[]
  #nextSlot = 0

  static arenaBytes(slots: number): number {
    return slots * (mmsghdr.size + iovec.size) + eventCapacity * 16 + 4096
  }

  /** The system's reason if there is no epoll to have. */
  static open(
    libc: Libc,
    arena: Arena,
    slots: Slots,
    outbox: Outbox,
    sockets: SocketTable,
    counters: IoCounters,
    events: IoEvents,
  ): EpollIo | string {
    const epoll = libc.epoll_create1(c.EPOLL_CLOEXEC)
    if (epoll < 0) return `epoll_create1: ${errnoName(libc.errno())}`
    return new EpollIo(libc, arena, slots, outbox, sockets, counters, events, epoll)
  }

  private constructor(
    libc: Libc,
    arena: Arena,
    slots: Slots,
    outbox: Outbox,
    sockets: SocketTable,
    counters: IoCounters,
    events: IoEvents,
    epoll: number,
  ) {
    this.#libc = libc
    this.descriptor = epoll
    this.#arena = arena
    this.#slots = slots
    this.#sockets = sockets
    this.#counters = counters
    this.#events = events
    this.#sender = new SyscallSender(libc, outbox, counters)
    this.#layout = process.arch === 'x64' ? epollEvents.x64 : epollEvents.arm64
    this.#eventList = arena.take(eventCapacity * this.#layout.size)
    this.#eventListPointer = arena.pointer(this.#eventList)
    this.#interest = arena.take(this.#layout.size)
    this.#interestPointer = arena.pointer(this.#interest)
    this.#messages = arena.take(slots.count * mmsghdr.size)
    this.#messagePointers = Array.from({ length: slots.count }, (_, i) =>
      arena.pointer(this.#messages + i * mmsghdr.size),
    )
    this.#prepareMessages()
  }

  add(socket: MmsgSocket): string | undefined {
    return this.#control(socket.fd, socket.index, socket.generation)
  }

  addWakeUp(fd: number): string | undefined {
    return this.#control(fd, wakeUpIndex, 0)
  }

  /** Closing takes the socket out of epoll too. */
  close(socket: MmsgSocket): void {
    this.#sender.flush()
    this.#libc.close(socket.fd)
  }

  flush(): void {
    this.#sender.flush()
    this.#nextSlot = 0
  }

  turn(timeoutMs: number, _gatherUs: number): void {
    this.flush()
    const count = this.#libc.epoll_wait(this.descriptor, this.#eventListPointer, eventCapacity, timeoutMs)
    this.#events.woken()
    const words = this.#arena.words
    const { size, events, data } = this.#layout
    for (let i = 0; i < count; i++) {
      const at = this.#eventList + i * size
      const index = words[(at + data) >> 2]!
      if (index === wakeUpIndex) {
        this.#events.called()
        continue
      }
      const socket = this.#sockets.atPlace(index, words[(at + data + 4) >> 2]!)
      if (socket === undefined) continue
      const what = words[(at + events) >> 2]!
      if ((what & c.EPOLLERR) !== 0) this.#events.socketError(socket)
      this.#read(socket)
    }
    this.flush()
  }

  stop(): void {
    this.#libc.close(this.descriptor)
  }

  #read(socket: MmsgSocket): void {
    if (this.#nextSlot === this.#slots.count) this.flush()
    const first = this.#nextSlot
    const asked = Math.min(socket.appetite, this.#slots.count - first)
    for (let i = first; i < first + asked; i++) this.#resetMessage(i)
    const count = this.#libc.recvmmsg(socket.fd, this.#messagePointers[first]!, asked, c.MSG_DONTWAIT, 0n)
    this.#counters.receiveCalls++
    if (count < 0) {
      const error = this.#libc.errno()
      if (error !== errno.EAGAIN && error !== errno.EINTR) this.#events.socketError(socket)
      return
    }
    socket.appetite = count < asked ? Math.max(1, count) : Math.min(longestRead, asked * 2)
    const words = this.#arena.words
    for (let i = first; i < first + count; i++) {
      const message = this.#messages + i * mmsghdr.size
      this.#nextSlot = i + 1
      this.#events.received(
        socket,
        this.#slots.at(i),
        words[(message + mmsghdr.length) >> 2]!,
        words[(message + msghdr.controlLength) >> 2]!,
        (words[(message + msghdr.flags) >> 2]! & c.MSG_TRUNC) !== 0,
      )
    }
  }

  #prepareMessages(): void {
    const iovs = this.#arena.take(this.#slots.count * iovec.size)
    for (let i = 0; i < this.#slots.count; i++) {
      const message = this.#messages + i * mmsghdr.size
      const at = this.#slots.at(i)
      const iov = iovs + i * iovec.size
      this.#arena.setPointer(message + msghdr.name, at + slot.name)
      this.#arena.setPointer(message + msghdr.iov, iov)
      this.#arena.words[(message + msghdr.iovLength) >> 2] = 1
      this.#arena.setPointer(message + msghdr.control, at + slot.control)
      this.#arena.setPointer(iov, at + slot.payload)
      this.#arena.words[(iov + iovec.length) >> 2] = slot.payloadBytes
    }
  }

  /** The kernel has written over the lengths. */
  #resetMessage(i: number): void {
    const message = this.#messages + i * mmsghdr.size
    this.#arena.words[(message + msghdr.nameLength) >> 2] = slot.nameBytes
    this.#arena.words[(message + msghdr.controlLength) >> 2] = slot.controlBytes
  }

  #control(fd: number, index: number, generation: number): string | undefined {
    const { events, data } = this.#layout
    const words = this.#arena.words
    words[(this.#interest + events) >> 2] = c.EPOLLIN
    words[(this.#interest + data) >> 2] = index
    words[(this.#interest + data + 4) >> 2] = generation
    const isAdded = this.#libc.epoll_ctl(this.descriptor, c.EPOLL_CTL_ADD, fd, this.#interestPointer) === 0
    return isAdded ? undefined : errnoName(this.#libc.errno())
  }
}

const wakeUpIndex = -1

/**
 * Receiving and sending by io_uring: one system call a turn, whatever it carries. Every socket has a request that
 * receives into the next free slot, again and again; what goes out is a request for each run.
 */

import { constants as c, errno, errnoName, msghdr } from './abi.ts'
import type { Arena } from './arena.ts'
import type { IoCounters } from './counters.ts'
import type { Io, IoEvents } from './io.ts'
import type { Libc } from './libc.ts'
import type { Outbox } from './outbox.ts'
import { judgeRefusal } from './refusals.ts'
import { Ring } from './ring.ts'
import {
  bufferRegistration,
  completion,
  ringConstants as r,
  receiveHeader,
  ringBuffer,
  submission,
} from './ring-abi.ts'
import { type Slots, slot } from './slots.ts'
import type { MmsgSocket, SocketTable } from './sockets.ts'
import { SyscallSender } from './syscall-sender.ts'

const sendFlags = c.MSG_DONTWAIT | c.MSG_NOSIGNAL

/** Of these only failures are told. */
const skipSuccess = r.IOSQE_CQE_SKIP_SUCCESS << 8

/** Limit: results that are waited for when there is time to gather them. */
const gatherCount = 64

/** In place of a socket's index: what a result is about. */
const kind = { wakeUp: -1, ignored: -2, send: -3 } as const

/** What a slot has before its payload when the ring fills it. */
const headBytes = slot.payload - slot.ringHeader
const bufferBytes = headBytes + slot.payloadBytes

export class RingIo implements Io {
  readonly name = 'io_uring'
  readonly #arena: Arena
  readonly #ring: Ring
  readonly #slots: Slots
  readonly #outbox: Outbox
  readonly #sockets: SocketTable
  readonly #counters: IoCounters
  readonly #events: IoEvents
  readonly #direct: SyscallSender
  readonly #buffers: number
  readonly #bufferTail: Uint16Array
  readonly #template: number
  /** Slots that have been read from and are to be filled again, when what came of them has left. */
  readonly #used: Int32Array
  #usedCount = 0
  #tail = 0
  #isReading = false
  /** Sockets that do not receive at the moment. */
  readonly #idle: MmsgSocket[] = []
  /** Sockets whose errors are still to be read. */
  readonly #erring: MmsgSocket[] = []
  /** File descriptors to be closed after what waits has left. */
  readonly #closing: number[] = []
  #wakeUp = -1
  #isWakeUpArmed = false
  /** Of the requests in hand: a failure of an older one cannot be mended any more. */
  #epoch = 0

  static arenaBytes(slots: number): number {
    return slots * ringBuffer.size + 3 * 4096
  }

  /** The slots have to be a power of two. */
  static open(
    libc: Libc,
    arena: Arena,
    slots: Slots,
    outbox: Outbox,
    sockets: SocketTable,
    counters: IoCounters,
    events: IoEvents,
  ): RingIo | string {
    const ring = Ring.open(libc, arena)
    if (typeof ring === 'string') return ring
    const buffers = arena.take(slots.count * ringBuffer.size, 4096)
    const registration = arena.take(bufferRegistration.size)
    arena.setPointer(registration + bufferRegistration.address, buffers)
    arena.words[(registration + bufferRegistration.entries) >> 2] = slots.count
    arena.words[(registration + bufferRegistration.group) >> 2] = 0
    const refusal = ring.register(r.IORING_REGISTER_PBUF_RING, arena.pointer(registration), 1)
    if (refusal !== undefined) {
      ring.close()
      return `io_uring without buffer rings: ${refusal}`
    }
    return new RingIo(libc, arena, ring, slots, outbox, sockets, counters, events, buffers)
  }

  private constructor(
    libc: Libc,
    arena: Arena,
    ring: Ring,
    slots: Slots,
    outbox: Outbox,
    sockets: SocketTable,
    counters: IoCounters,
    events: IoEvents,
    buffers: number,
  ) {
    this.#arena = arena
    this.#ring = ring
    this.#slots = slots
    this.#outbox = outbox
    this.#sockets = sockets
    this.#counters = counters
    this.#events = events
    this.#direct = new SyscallSender(libc, outbox, counters)
    this.#buffers = buffers
    this.#bufferTail = new Uint16Array(arena.bytes.buffer, buffers + ringBuffer.tail, 1)
    this.#template = arena.take(msghdr.size)
    arena.words[(this.#template + msghdr.nameLength) >> 2] = slot.nameBytes
    arena.words[(this.#template + msghdr.controlLength) >> 2] = slot.controlBytes
    this.#used = new Int32Array(slots.count)
    for (let i = 0; i < slots.count; i++) this.#used[i] = i
    this.#usedCount = slots.count
    this.#refill()
  }

  get descriptor(): number {
    return this.#ring.fd
  }

  add(socket: MmsgSocket): undefined {
    this.#idle.push(socket)
  }

  addWakeUp(fd: number): undefined {
    this.#wakeUp = fd
  }

  close(socket: MmsgSocket): void {
    this.#closing.push(socket.fd)
  }

  flush(): void {
    this.#writeSends()
    const isClosing = this.#closing.length > 0
    this.#writeClosings()
    // A socket is gone, and its port free, when its request to receive has ended, which takes a look at the results.
    if (isClosing) this.#ring.enter(0, 0, 0)
    else this.#ring.submit()
    if (!this.#isReading) this.#readSendFailures()
    this.#outbox.clear()
  }

  turn(timeoutMs: number, gatherUs: number): void {
    // A packet alone leaves sooner by a call of its own; what that costs is little beside the wake-up for it.
    if (this.#outbox.runs === 1 && gatherUs === 0) this.#direct.flush()
    this.#writeSends()
    this.#writeClosings()
    this.#refill()
    this.#writeReceives()
    this.#ring.enter(this.#erring.length > 0 ? 0 : timeoutMs, gatherCount, gatherUs)
    this.#events.woken()
    this.#readResults()
  }

  stop(): void {
    this.#ring.close()
  }

  #writeSends(): void {
    const outbox = this.#outbox
    const { runs } = outbox
    this.#epoch = (this.#epoch + 1) & 0xfffff
    for (let run = 0; run < runs; run++) {
      outbox.writeMessage(run, run)
      const socket = outbox.socketOf(run)
      this.#write(
        r.IORING_OP_SENDMSG | skipSuccess,
        socket.fd,
        outbox.offsetOf(run),
        1,
        sendFlags,
        kind.send,
        (this.#epoch << 11) | run,
        0,
      )
      this.#counters.sent += outbox.packetsIn(run)
    }
    this.#counters.sentMessages += runs
    if (runs > 0) this.#counters.sendCalls++
  }

  /** A socket's port is free when its requests have gone. */
  #writeClosings(): void {
    if (this.#closing.length === 0) return
    for (const fd of this.#closing) {
      const flags = r.IORING_ASYNC_CANCEL_ALL | r.IORING_ASYNC_CANCEL_FD
      this.#write(r.IORING_OP_ASYNC_CANCEL | skipSuccess, fd, -1, 0, flags, kind.ignored, 0, 0)
      this.#write(r.IORING_OP_CLOSE | skipSuccess, fd, -1, 0, 0, kind.ignored, 0, 0)
    }
    this.#closing.length = 0
  }

  #writeReceives(): void {
    if (this.#wakeUp >= 0 && !this.#isWakeUpArmed) {
      this.#write(
        r.IORING_OP_POLL_ADD,
        this.#wakeUp,
        -1,
        r.IORING_POLL_ADD_MULTI,
        c.EPOLLIN,
        kind.wakeUp,
        0,
        0,
      )
      this.#isWakeUpArmed = true
    }
    if (this.#idle.length === 0) return
    for (const socket of this.#idle) {
      if (this.#sockets.atPlace(socket.index, socket.generation) !== socket) continue
      this.#write(
        r.IORING_OP_RECVMSG | (r.IOSQE_BUFFER_SELECT << 8) | (r.IORING_RECV_MULTISHOT << 16),
        socket.fd,
        this.#template,
        1,
        0,
        socket.index,
        socket.generation,
        0,
      )
    }
    this.#idle.length = 0
  }

  /** `head` is opcode, flags and I/O priority; `address` an offset of the arena, or -1. */
  #write(
    head: number,
    fd: number,
    address: number,
    length: number,
    operationFlags: number,
    user: number,
    userHigh: number,
    bufferGroup: number,
  ): void {
    const { requests } = this.#ring
    const at = this.#ring.next()
    requests[at] = head
    requests[at + (submission.fd >> 2)] = fd
    requests[at + 2] = 0
    requests[at + 3] = 0
    if (address < 0) {
      requests[at + (submission.address >> 2)] = 0
      requests[at + (submission.address >> 2) + 1] = 0
    } else {
      requests[at + (submission.address >> 2)] = this.#arena.low(address)
      requests[at + (submission.address >> 2) + 1] = this.#arena.high
    }
    requests[at + (submission.length >> 2)] = length
    requests[at + (submission.operationFlags >> 2)] = operationFlags
    requests[at + (submission.userData >> 2)] = user
    requests[at + (submission.userData >> 2) + 1] = userHigh
    requests[at + (submission.bufferGroup >> 2)] = bufferGroup
    requests[at + 11] = 0
    requests[at + 12] = 0
    requests[at + 13] = 0
  }

  /** Failures of sends come first, for they were carried out first; then the outbox is free for what has come in. */
  #readResults(): void {
    const ring = this.#ring
    this.#isReading = true
    this.#readSendFailures()
    this.#outbox.clear()
    for (let left = ring.available; left > 0; left--) this.#readResult(ring.take())
    this.#isReading = false
    ring.release()
    if (this.#erring.length > 0) {
      for (const socket of this.#erring.splice(0)) this.#events.socketError(socket)
    }
  }

  #readSendFailures(): void {
    const ring = this.#ring
    while (ring.available > 0) {
      const at = ring.first
      if (ring.results[at] !== kind.send) return
      ring.take()
      this.#sendFailed(ring.results[at + 1]!, -ring.results[at + (completion.result >> 2)]!)
    }
  }

  #sendFailed(epochAndRun: number, error: number): void {
    const outbox = this.#outbox
    const run = epochAndRun & 0x7ff
    const isOld = epochAndRun >> 11 !== this.#epoch || run >= outbox.runs
    const packets = isOld ? 1 : outbox.packetsIn(run)
    this.#counters.sent -= packets
    this.#counters.sentMessages--
    const verdict = isOld ? 'drop' : judgeRefusal(outbox, run, error)
    if (verdict === 'drop') this.#counters.refuse(errnoName(error), packets)
    else this.#direct.sendSingly(run)
    // The error has been taken from the socket: receiving will not be told of it any more.
    if (verdict === 'again') this.#erring.push(outbox.socketOf(run))
  }

  #readResult(at: number): void {
    const { results } = this.#ring
    const index = results[at]!
    const generation = results[at + 1]!
    const result = results[at + (completion.result >> 2)]!
    const flags = results[at + (completion.flags >> 2)]!
    if (index === kind.wakeUp) {
      this.#isWakeUpArmed = (flags & r.IORING_CQE_F_MORE) !== 0
      if (result > 0) this.#events.called()
      return
    }
    if (index === kind.send) {
      this.#sendFailed(generation, -result)
      return
    }
    if (index < 0) return
    const socket = this.#sockets.atPlace(index, generation)
    if ((flags & r.IORING_CQE_F_BUFFER) !== 0) {
      const id = flags >>> r.IORING_CQE_BUFFER_SHIFT
      if (socket !== undefined && result >= headBytes) this.#received(socket, this.#slots.at(id), result)
      this.#used[this.#usedCount++] = id
    }
    if (socket === undefined) return
    if ((flags & r.IORING_CQE_F_MORE) === 0) this.#idle.push(socket)
    if (result < 0 && result !== -errno.ENOBUFS && result !== -errno.ECANCELED)
      this.#events.socketError(socket)
  }

  #received(socket: MmsgSocket, at: number, result: number): void {
    const { words } = this.#arena
    const head = (at + slot.ringHeader) >> 2
    this.#events.received(
      socket,
      at,
      Math.min(words[head + (receiveHeader.payloadLength >> 2)]!, result - headBytes),
      words[head + (receiveHeader.controlLength >> 2)]!,
      (words[head + (receiveHeader.flags >> 2)]! & c.MSG_TRUNC) !== 0,
    )
  }

  /** Gives the slots back to the kernel. What came of them has to have left, or to leave before the next receipt. */
  #refill(): void {
    const { words } = this.#arena
    const mask = this.#slots.count - 1
    for (let i = 0; i < this.#usedCount; i++) {
      const id = this.#used[i]!
      const at = this.#buffers + (this.#tail & mask) * ringBuffer.size
      this.#arena.setPointer(at, this.#slots.at(id) + slot.ringHeader)
      words[(at + ringBuffer.length) >> 2] = bufferBytes
      // The upper half is the ring's tail in the first of them: it is written below.
      words[(at + ringBuffer.id) >> 2] = (words[(at + ringBuffer.id) >> 2]! & ~0xffff) | id
      this.#tail = (this.#tail + 1) & 0xffff
    }
    this.#usedCount = 0
    this.#bufferTail[0] = this.#tail
  }
}

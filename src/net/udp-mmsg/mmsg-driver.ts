/**
 * The UDP driver over batched system calls. It owns its thread: `run` receives, hands in and sends until it is asked
 * to come back, and blocks while there is nothing to do.
 */

import type { Clock } from '../../core/host.ts'
import { mappedPrefix } from '../../core/ip.ts'
import type { Datagram, SocketId } from '../../core/sans-io.ts'
import type { AddressWords, MutableAddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { Route } from '../../turn/route.ts'
import { isRelaySocket } from '../../turn/socket-numbers.ts'
import type { UdpDriver, UdpDriverHandlers } from '../udp-driver.ts'
import { constants as c, errnoName } from './abi.ts'
import { Arena } from './arena.ts'
import { TurnClock } from './clock.ts'
import { type ReceivedControl, readControl } from './control-data.ts'
import { IoCounters } from './counters.ts'
import { DescriptorSet } from './descriptors.ts'
import { EpollIo } from './epoll-io.ts'
import { ErrorQueue } from './error-queue.ts'
import type { Io, IoEvents } from './io.ts'
import type { Libc } from './libc.ts'
import { Outbox, suits } from './outbox.ts'
import { Pace } from './pace.ts'
import { RingIo } from './ring-io.ts'
import { Slots, slot, slotArenaBytes } from './slots.ts'
import { readSocketAddress } from './socket-address.ts'
import { type MmsgSocket, SocketOpener, SocketTable } from './sockets.ts'

/** Limit: datagrams taken in before what came of them is sent. */
const slotCount = 256
/** Limit: what the engine says of its own between two flushes: answers, and packets that have to be copied. */
const copyBytes = 512 * 1024
const outboxCapacity = 1024

export interface MmsgOptions {
  /** For listening sockets: several threads share an address. */
  readonly reusePort: boolean
  readonly receiveBufferBytes: number
  readonly sendBufferBytes: number
  /** Whether to use io_uring where there is one. */
  readonly ring?: boolean
  /** Where to note what is open, for who has to close it if this thread dies. */
  readonly descriptors?: SharedArrayBuffer
  /** Every packet leaves and comes by itself, as from hosts that have nothing to do with each other. */
  readonly isPlain?: boolean
}

type ReusedDatagram = { -readonly [Key in keyof Datagram]: Datagram[Key] }

export class MmsgDriver implements UdpDriver, IoEvents {
  readonly clock: TurnClock
  readonly counters = new IoCounters()
  /** An eventfd: whoever writes to it makes `run` come back. */
  readonly wakeUp: number
  /** Whom the driver tells: to be set before anything is bound. */
  handlers: UdpDriverHandlers = nobody
  readonly #libc: Libc
  readonly #called: number
  readonly #calledPointer: bigint
  readonly #arena: Arena
  readonly #options: MmsgOptions
  readonly #sockets = new SocketTable()
  readonly #outbox: Outbox
  readonly #opener: SocketOpener
  readonly #errors: ErrorQueue
  #io!: Io
  /** Why it is not the best way of doing it; undefined when it is. */
  because: string | undefined
  readonly #slots: Slots
  readonly #descriptors: DescriptorSet | undefined
  readonly #source: MutableAddressWords = { a: 0, b: 0, c: mappedPrefix, d: 0, port: 0 }
  readonly #control: ReceivedControl = { trafficClass: 0, segmentBytes: 0 }
  readonly #datagram: ReusedDatagram
  readonly #copies: number
  #copied = 0
  /** Where the packet that is being handed in may be written in front of: no further than its slot. */
  #roomFrom = 0
  /** What is to be told after the call that caused it has returned. */
  #deferred: (() => void)[] = []
  readonly #pace = new Pace()
  readonly #tellRefused = (reason: string, packets: number) => this.handlers.sendFailed(reason, packets)
  #isCalled = false

  /** The driver, or why there is none. Nothing is left open then. */
  static open(libc: Libc, clock: Clock, options: MmsgOptions): MmsgDriver | string {
    const size =
      slotArenaBytes(slotCount) +
      Outbox.arenaBytes(outboxCapacity) +
      EpollIo.arenaBytes(slotCount) +
      RingIo.arenaBytes(slotCount) +
      copyBytes +
      65_536
    const arena = Arena.map(libc, size)
    if (arena === undefined) return `mmap of ${size} bytes: ${errnoName(libc.errno())}`
    const wakeUp = libc.eventfd(0, c.EFD_NONBLOCK | c.EFD_CLOEXEC)
    if (wakeUp < 0) {
      const reason = errnoName(libc.errno())
      arena.unmap()
      return `eventfd: ${reason}`
    }
    const driver = new MmsgDriver(libc, arena, clock, options, wakeUp)
    const reason = driver.#openIo()
    if (reason === undefined) return driver
    libc.close(wakeUp)
    arena.unmap()
    return reason
  }

  private constructor(libc: Libc, arena: Arena, clock: Clock, options: MmsgOptions, wakeUp: number) {
    this.#libc = libc
    this.wakeUp = wakeUp
    this.#called = arena.take(8, 8)
    this.#calledPointer = arena.pointer(this.#called)
    this.#arena = arena
    this.#options = options
    this.#descriptors = options.descriptors === undefined ? undefined : new DescriptorSet(options.descriptors)
    this.clock = new TurnClock(clock)
    this.#outbox = new Outbox(arena, outboxCapacity)
    this.#opener = new SocketOpener(libc, arena)
    this.#errors = new ErrorQueue(libc, arena)
    this.#slots = new Slots(arena, slotCount)
    this.#copies = arena.take(copyBytes)
    this.#datagram = {
      socket: 0 as SocketId,
      source: this.#source,
      bytes: arena.bytes,
      start: 0,
      end: 0,
    }
  }

  /** What becomes readable when there is something to read: of epoll, or of io_uring. */
  get descriptor(): number {
    return this.#io.descriptor
  }

  /** The system calls in use. */
  get via(): string {
    return this.#io.name
  }

  /** Takes io_uring if there is one, or else epoll; the reason if there is neither. */
  #openIo(): string | undefined {
    const parts = [
      ...([this.#libc, this.#arena, this.#slots, this.#outbox] as const),
      ...([this.#sockets, this.counters, this] as const),
    ] as const
    const ring = this.#options.ring === false ? undefined : RingIo.open(...parts)
    const io = ring === undefined || typeof ring === 'string' ? EpollIo.open(...parts) : ring
    if (typeof io === 'string') return io
    this.#io = io
    if (typeof ring === 'string') this.because = ring
    for (const descriptor of [this.wakeUp, io.descriptor]) this.#descriptors?.add(descriptor)
    io.addWakeUp(this.wakeUp)
    return undefined
  }

  bind(id: SocketId, address: TransportAddress): void {
    const isRelay = isRelaySocket(id)
    const kept = isRelay ? undefined : this.#descriptors?.kept(id)
    const socket =
      kept !== undefined
        ? this.#opener.adopt(id, kept)
        : this.#opener.open(id, address, {
            ...this.#options,
            reusePort: this.#options.reusePort && !isRelay,
          })
    if (typeof socket === 'string') {
      this.#defer(() => this.handlers.bindFailed(id, socket))
      return
    }
    this.#sockets.add(socket)
    this.#descriptors?.add(socket.fd)
    if (!isRelay) this.#descriptors?.keep(id, socket.fd)
    if (this.#options.isPlain === true) socket.longestSegment = 0
    else this.#opener.askForControlData(socket)
    if (isRelay) this.#opener.askForErrors(socket)
    const refusal = this.#io.add(socket)
    if (refusal !== undefined) {
      this.close(id)
      this.#defer(() => this.handlers.bindFailed(id, refusal))
      return
    }
    this.#defer(() => {
      if (this.#sockets.get(id) === socket) this.handlers.bound(id, socket.local, socket.receiveBufferBytes)
    })
  }

  transmit(id: SocketId, destination: AddressWords, bytes: Uint8Array): void {
    const socket = this.#sockets.get(id)
    if (socket === undefined || !suits(socket, destination)) return
    const at = this.#roomForCopy(bytes.length)
    this.#arena.bytes.set(bytes, at)
    this.#outbox.add(socket, destination, at, bytes.length, 0)
  }

  forward(route: Route, _datagram: Datagram): void {
    const socket = this.#sockets.get(route.socket)
    if (socket === undefined || !suits(socket, route.destination)) return
    const { headerLength, start, end, padding } = route
    const bytes = this.#arena.bytes
    let at = start - headerLength
    if (at < this.#roomFrom || (padding > 0 && this.#control.segmentBytes > 0)) {
      at = this.#roomForCopy(headerLength + end - start + padding)
      bytes.copyWithin(at + headerLength, start, end)
    }
    for (let i = 0; i < headerLength; i++) bytes[at + i] = route.header[i]!
    const length = headerLength + end - start
    for (let i = 0; i < padding; i++) bytes[at + length + i] = 0
    if (route.dontFragment) {
      this.#sendUnfragmented(socket, route.destination, at, length + padding)
      return
    }
    if (this.#outbox.isFull) this.#io.flush()
    this.#outbox.add(socket, route.destination, at, length + padding, this.#control.trafficClass)
  }

  close(id: SocketId): void {
    const socket = this.#sockets.get(id)
    if (socket === undefined) return
    this.#sockets.remove(socket)
    // In this order: if the thread ended in between, a descriptor would be lost, but nobody else's closed.
    this.#descriptors?.remove(socket.fd)
    this.#io.close(socket)
  }

  flush(): void {
    this.#io.flush()
    this.#copied = 0
  }

  closeAll(): void {
    for (const socket of this.#sockets.all()) this.close(socket.id)
  }

  /**
   * Receives and sends. Comes back when `wakeUp` has been written to, when something was opened or closed, and `forMs`
   * after something has happened; while nothing happens it waits for as long as it takes. With 0 it has one turn, which
   * waits for `waitMs` at most.
   */
  run(forMs: number, waitMs = 0): void {
    const { clock } = this
    clock.update()
    const start = clock.now()
    const receivedBefore = this.counters.received
    this.#isCalled = false
    let hasNews = false
    do {
      const isWaiting = this.#runDeferred()
      const atOnce = isWaiting || forMs === 0
      this.#io.turn(
        isWaiting ? 0 : forMs === 0 ? waitMs : shorter(clock.untilNext, hasNews ? forMs : longestLullMs),
        this.#pace.gatherUs,
      )
      hasNews = clock.runDue() || hasNews || this.counters.received !== receivedBefore
      if (atOnce) break
    } while (!this.#isCalled && !(hasNews && clock.now() - start >= forMs))
    this.flush()
    this.counters.tellRefused(this.#tellRefused)
  }

  /** Closes what is open; the driver is of no use afterwards. */
  stop(): void {
    this.closeAll()
    this.#io.flush()
    for (const descriptor of [this.wakeUp, this.#io.descriptor]) this.#descriptors?.remove(descriptor)
    this.#io.stop()
    this.#libc.close(this.wakeUp)
    this.#arena.unmap()
  }

  woken(): void {
    this.clock.update()
    this.#pace.update(this.counters.received, this.clock.now())
    this.#copied = 0
  }

  called(): void {
    this.#libc.eventfd_read(this.wakeUp, this.#calledPointer)
    this.#isCalled = true
  }

  received(
    socket: MmsgSocket,
    at: number,
    length: number,
    controlLength: number,
    isTruncated: boolean,
  ): void {
    const { words, bytes } = this.#arena
    if (isTruncated || !readSocketAddress(words, (at + slot.name) >> 2, this.#source)) {
      this.counters.unreadable++
      return
    }
    readControl(words, bytes, at + slot.control, controlLength, this.#control)
    const datagram = this.#datagram
    datagram.socket = socket.id
    const start = at + slot.payload
    const end = start + length
    const step = this.#control.segmentBytes
    this.#roomFrom = at
    if (step === 0 || step >= length) {
      this.counters.received++
      datagram.start = start
      datagram.end = end
      this.handlers.datagram(datagram)
      return
    }
    this.counters.coalesced++
    for (let segment = start; segment < end; segment += step) {
      this.counters.received++
      datagram.start = segment
      datagram.end = Math.min(segment + step, end)
      this.handlers.datagram(datagram)
      this.#roomFrom = datagram.end
    }
  }

  socketError(socket: MmsgSocket): void {
    if (this.#sockets.get(socket.id) !== socket) return
    this.#errors.read(socket, ({ peer, type, code, data }) =>
      this.handlers.icmp(socket.id, peer, type, code, data),
    )
  }

  /** DF is a property of the socket: set for what is sent now, and for nothing else. */
  #sendUnfragmented(socket: MmsgSocket, destination: AddressWords, at: number, length: number): void {
    this.#io.flush()
    this.#opener.setDontFragment(socket, true)
    this.#outbox.add(socket, destination, at, length, this.#control.trafficClass)
    this.#io.flush()
    this.#opener.setDontFragment(socket, false)
    this.#defer(() => this.socketError(socket))
  }

  #defer(tell: () => void): void {
    this.#deferred.push(tell)
  }

  /** Whether there was anything to tell. */
  #runDeferred(): boolean {
    if (this.#deferred.length === 0) return false
    while (this.#deferred.length > 0) {
      const deferred = this.#deferred
      this.#deferred = []
      for (const tell of deferred) tell()
    }
    return true
  }

  /** The offset of so many bytes, aligned, to be good until the next flush. */
  #roomForCopy(length: number): number {
    if (this.#outbox.isFull || this.#copied + length > copyBytes) {
      this.#io.flush()
      this.#copied = 0
    }
    const at = this.#copies + this.#copied
    this.#copied += (length + 63) & ~63
    return at
  }
}

/** A process that ends joins its threads, and a thread that waits without end in a system call cannot be told to. */
const longestLullMs = 1000

/** Of two waits in milliseconds, where -1 is for ever. */
function shorter(x: number, y: number): number {
  return x < 0 ? y : y < 0 ? x : Math.min(x, y)
}

const nobody: UdpDriverHandlers = {
  bound: () => {},
  bindFailed: () => {},
  datagram: () => {},
  icmp: () => {},
  sendFailed: () => {},
}

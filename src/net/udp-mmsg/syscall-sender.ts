/** Sends what an outbox holds by sendmmsg: one call a socket. */

import { constants as c, errno, errnoName } from './abi.ts'
import type { IoCounters } from './counters.ts'
import type { Libc } from './libc.ts'
import type { Outbox } from './outbox.ts'
import { judgeRefusal, mayBeOfAnother, type Verdict } from './refusals.ts'
import type { MmsgSocket } from './sockets.ts'

const flags = c.MSG_DONTWAIT | c.MSG_NOSIGNAL

export class SyscallSender {
  readonly #libc: Libc
  readonly #outbox: Outbox
  readonly #counters: IoCounters
  /** The runs of each socket, as lists: the first of a socket, and what follows each run. */
  readonly #touched: MmsgSocket[] = []
  readonly #firstRun: Int32Array
  readonly #lastRun: Int32Array
  readonly #nextRun: Int32Array
  /** The run that each message of the call in hand is made of. */
  readonly #runs: Int32Array

  constructor(libc: Libc, outbox: Outbox, counters: IoCounters) {
    this.#libc = libc
    this.#outbox = outbox
    this.#counters = counters
    this.#firstRun = new Int32Array(outbox.capacity)
    this.#lastRun = new Int32Array(outbox.capacity)
    this.#nextRun = new Int32Array(outbox.capacity)
    this.#runs = new Int32Array(outbox.capacity)
  }

  flush(): void {
    const outbox = this.#outbox
    if (outbox.runs === 0) return
    const sockets = this.#group()
    let message = 0
    for (let i = 0; i < sockets; i++) {
      const first = message
      for (let run = this.#firstRun[i]!; run >= 0; run = this.#nextRun[run]!) {
        outbox.writeMessage(run, message)
        this.#runs[message++] = run
      }
      this.#send(this.#touched[i]!, first, message)
    }
    outbox.clear()
  }

  /** Makes the lists; how many sockets have something to send. */
  #group(): number {
    const outbox = this.#outbox
    let count = 0
    for (let run = 0; run < outbox.runs; run++) {
      const socket = outbox.socketOf(run)
      this.#nextRun[run] = -1
      if (socket.sendList < 0) {
        socket.sendList = count
        this.#touched[count] = socket
        this.#firstRun[count] = run
        this.#lastRun[count++] = run
      } else {
        this.#nextRun[this.#lastRun[socket.sendList]!] = run
        this.#lastRun[socket.sendList] = run
      }
    }
    for (let i = 0; i < count; i++) this.#touched[i]!.sendList = -1
    return count
  }

  #send(socket: MmsgSocket, first: number, end: number): void {
    const { fd } = socket
    let isRetry = false
    for (let message = first; message < end; ) {
      const sent = this.#call(fd, message, end - message)
      if (sent > 0) {
        this.#count(message, sent)
        message += sent
        isRetry = false
        continue
      }
      const error = this.#libc.errno()
      if (error === errno.EINTR) continue
      if (error === errno.EAGAIN || error === errno.ENOBUFS) {
        // No room in the socket or the device: what is left of this socket's packets is lost, as in any full queue.
        for (; message < end; message++) this.#refuse(message, error)
        return
      }
      const verdict: Verdict = isRetry ? 'drop' : judgeRefusal(this.#outbox, this.#runs[message]!, error)
      isRetry = verdict === 'again'
      if (isRetry) continue
      if (verdict === 'singly') this.#sendSingly(fd, message)
      else this.#refuse(message, error)
      message++
    }
  }

  /** How many messages have left. node:ffi takes three arguments much faster than four. */
  #call(fd: number, message: number, count: number): number {
    const pointer = this.#outbox.pointer(message)
    if (count > 1) return this.#libc.sendmmsg(fd, pointer, count, flags)
    return this.#libc.sendmsg(fd, pointer, flags) < 0 ? -1 : 1
  }

  /** For the runs that other ways of sending could not send: as single packets, now. */
  sendSingly(run: number): void {
    this.#runs[0] = run
    this.#sendSingly(this.#outbox.socketOf(run).fd, 0)
  }

  #sendSingly(fd: number, message: number): void {
    const pointer = this.#outbox.pointer(message)
    this.#outbox.forEachPacket(this.#runs[message]!, message, () => {
      let result = this.#libc.sendmsg(fd, pointer, flags)
      if (result < 0 && mayBeOfAnother(this.#libc.errno())) result = this.#libc.sendmsg(fd, pointer, flags)
      if (result >= 0) {
        this.#counters.sent++
        this.#counters.sentMessages++
      } else this.#counters.refuse(errnoName(this.#libc.errno()), 1)
      this.#counters.sendCalls++
    })
  }

  #count(message: number, count: number): void {
    this.#counters.sendCalls++
    this.#counters.sentMessages += count
    for (let i = message; i < message + count; i++) {
      this.#counters.sent += this.#outbox.packetsIn(this.#runs[i]!)
    }
  }

  #refuse(message: number, error: number): void {
    this.#counters.refuse(errnoName(error), this.#outbox.packetsIn(this.#runs[message]!))
  }
}

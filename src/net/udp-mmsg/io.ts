/** How packets pass between sockets and the arena: what the loop asks, whichever system calls do it. */

import type { MmsgSocket } from './sockets.ts'

export interface Io {
  /** For the log. */
  readonly name: string
  /** Its own file descriptor. */
  readonly descriptor: number
  /** Receives from the socket from now on. The system's reason if it will not. */
  add(socket: MmsgSocket): string | undefined
  /** Calls `called` whenever the eventfd has been written to. */
  addWakeUp(fd: number): string | undefined
  /** Sends what waits, takes the socket out and closes it. */
  close(socket: MmsgSocket): void
  /** Sends all that the outbox holds. The slots are free again. */
  flush(): void
  /**
   * Sends, waits for at most that long (-1: for ever) and hands in what has come. It may wait for more to come for as
   * long as `gatherUs`, so that it wakes up less often.
   */
  turn(timeoutMs: number, gatherUs: number): void
  stop(): void
}

export interface IoEvents {
  /** The wait is over: time to read the clock. */
  woken(): void
  called(): void
  /**
   * A datagram lies in the slot at that offset of the arena; its name and control data are where `slot` says. What
   * comes of it is added to the outbox.
   */
  received(
    socket: MmsgSocket,
    slotOffset: number,
    length: number,
    controlLength: number,
    isTruncated: boolean,
  ): void
  /** The socket has an error to tell: an ICMP message, perhaps. */
  socketError(socket: MmsgSocket): void
}

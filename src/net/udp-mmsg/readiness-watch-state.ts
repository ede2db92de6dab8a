/** What a driver and the thread that waits for it have in common. */

/** The word in shared memory: whether the thread is to wait for packets. It goes from waiting to idle by itself. */
export const watchState = { idle: 0, waiting: 1, stopped: 2 } as const

export interface ReadinessWatchData {
  /** Readable when the driver has something to read: an io_uring, or an epoll instance. */
  readonly descriptor: number
  readonly state: SharedArrayBuffer
}

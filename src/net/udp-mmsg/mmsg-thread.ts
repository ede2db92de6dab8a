/** A thread given over to the mmsg driver: it runs turn after turn, and comes to Node's own loop when it is called. */

import type { Clock } from '../../core/host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../udp-driver.ts'
import { loadLibc } from './libc.ts'
import { MmsgDriver, type MmsgOptions } from './mmsg-driver.ts'

/** The kernel's default holds about 90 datagrams of 1,200 bytes. */
const bufferBytes = 4 * 1024 * 1024

export class MmsgThread {
  readonly #driver: MmsgDriver
  #isStopped = false

  /** The thread's driver, or why there is none. */
  static open(clock: Clock, options: Pick<MmsgOptions, 'reusePort'>): MmsgThread | string {
    const libc = loadLibc()
    if (typeof libc === 'string') return libc
    const sizes = { receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes }
    const driver = MmsgDriver.open(libc, clock, { ...options, ...sizes })
    return typeof driver === 'string' ? driver : new MmsgThread(driver)
  }

  private constructor(driver: MmsgDriver) {
    this.#driver = driver
  }

  get clock(): Clock {
    return this.#driver.clock
  }

  /** The eventfd that makes it look at its messages. */
  get wakeUp(): number {
    return this.#driver.wakeUp
  }

  createDriver(handlers: UdpDriverHandlers): UdpDriver {
    this.#driver.handlers = handlers
    return this.#driver
  }

  /** Runs until `stop`. `pause` is called every so often while there is traffic, and before a wait without end. */
  start(everyMs: number, pause: () => void): void {
    const turns = () => {
      if (this.#isStopped) return
      this.#driver.run(everyMs)
      pause()
      setImmediate(turns)
    }
    setImmediate(turns)
  }

  stop(): void {
    this.#isStopped = true
    this.#driver.stop()
  }
}

/** A thread given over to the mmsg driver: it runs turn after turn, and comes to Node's own loop when it is called. */

import type { Clock } from '../../core/host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../udp-driver.ts'
import { type CheckedDriver, openCheckedDriver } from './checked-driver.ts'
import { type Libc, loadLibc } from './libc.ts'
import type { MmsgDriver, MmsgOptions } from './mmsg-driver.ts'

export class MmsgThread {
  readonly #driver: MmsgDriver
  /** The system calls in use. */
  readonly via: string
  /** Why they are not the best ones that there are; undefined when they are. */
  readonly because: string | undefined
  #isStopped = false

  /** The thread's driver, checked: it works here. Or why there is none. */
  static open(clock: Clock, given: Pick<MmsgOptions, 'reusePort' | 'descriptors'>): MmsgThread | string {
    const libc = loadLibc()
    return typeof libc === 'string' ? libc : MmsgThread.openWith(libc, clock, given)
  }

  /** As `open`, with a C library of the caller's. */
  static openWith(
    libc: Libc,
    clock: Clock,
    given: Pick<MmsgOptions, 'reusePort' | 'descriptors'>,
  ): MmsgThread | string {
    const checked = openCheckedDriver(libc, clock, given)
    return typeof checked === 'string' ? checked : new MmsgThread(checked)
  }

  private constructor({ driver, found, faults }: CheckedDriver) {
    this.#driver = driver
    const reasons = driver.because === undefined ? faults : [...faults, driver.because]
    this.because = reasons.length === 0 ? undefined : reasons.join('; ')
    const options = [
      ...(found.hasSegmentation ? ['UDP_SEGMENT'] : []),
      ...(found.hasCoalescing ? ['UDP_GRO'] : []),
    ]
    this.via = options.length === 0 ? driver.via : `${driver.via} with ${options.join(' and ')}`
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

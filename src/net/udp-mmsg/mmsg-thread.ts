/** A thread given over to the mmsg driver: it runs turn after turn, and comes to Node's own loop when it is called. */

import type { Clock } from '../../core/host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../udp-driver.ts'
import { type Libc, loadLibc } from './libc.ts'
import { MmsgDriver, type MmsgOptions } from './mmsg-driver.ts'
import { type SelfCheck, selfCheck } from './self-check.ts'

/** The kernel's default holds about 90 datagrams of 1,200 bytes. */
const bufferBytes = 4 * 1024 * 1024

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
    const options = { ...given, receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes }
    const faults: string[] = []
    for (const ring of [true, false]) {
      const driver = MmsgDriver.open(libc, clock, { ...options, ring })
      if (typeof driver === 'string') return [...faults, driver].join('; ')
      const { fault, ...found } = selfCheck(driver)
      if (fault === undefined) return new MmsgThread(driver, found, faults)
      faults.push(`self-check of ${driver.via}: ${fault}`)
      const isLast = driver.because !== undefined
      driver.stop()
      if (isLast) break
    }
    return faults.join('; ')
  }

  private constructor(driver: MmsgDriver, found: Omit<SelfCheck, 'fault'>, faults: readonly string[]) {
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

/** Opens the driver and tries it: by io_uring, or else by epoll. */

import type { Clock } from '../../core/host.ts'
import type { Libc } from './libc.ts'
import { MmsgDriver, type MmsgOptions } from './mmsg-driver.ts'
import { type SelfCheck, selfCheck } from './self-check.ts'

/** The kernel's default holds about 90 datagrams of 1,200 bytes. */
const bufferBytes = 4 * 1024 * 1024

export interface CheckedDriver {
  readonly driver: MmsgDriver
  readonly found: Omit<SelfCheck, 'fault'>
  /** What did not work of the better ways. */
  readonly faults: readonly string[]
}

/** A driver that works here, or why there is none. */
export function openCheckedDriver(
  libc: Libc,
  clock: Clock,
  given: Pick<MmsgOptions, 'reusePort' | 'descriptors' | 'isPlain'>,
): CheckedDriver | string {
  const options = { ...given, receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes }
  const faults: string[] = []
  for (const ring of [true, false]) {
    const driver = MmsgDriver.open(libc, clock, { ...options, ring })
    if (typeof driver === 'string') return [...faults, driver].join('; ')
    const { fault, ...found } = selfCheck(driver)
    if (fault === undefined) return { driver, found, faults }
    faults.push(`self-check of ${driver.via}: ${fault}`)
    const isLast = driver.because !== undefined
    driver.stop()
    if (isLast) break
  }
  return faults.join('; ')
}

/** The system calls of this machine, for tests that are of no use without them. */

import { type Libc, loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import { tellMissing } from './programs.ts'

/** Why there are none, as the driver says it: with CI=true an error on Linux, for there they are to be. */
export function libcFor(what: string): Libc | string {
  const libc = loadLibc()
  if (typeof libc === 'string' && process.platform === 'linux') tellMissing(`${what}: ${libc}`)
  return libc
}

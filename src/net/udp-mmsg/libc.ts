/**
 * The C library by node:ffi: the only place that names it. Pointers are bigints; none is made where packets pass,
 * for each would be garbage. Functions that give ssize_t are declared to give an int, which spares a bigint: no
 * count here reaches 2^31.
 */

import type * as Ffi from 'node:ffi'
import { createRequire } from 'node:module'
import { withoutWarnings } from '../without-warnings.ts'

const signatures = {
  mmap: { return: 'pointer', arguments: ['pointer', 'u64', 'i32', 'i32', 'i32', 'i64'] },
  munmap: { return: 'i32', arguments: ['pointer', 'u64'] },
  socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
  getsockname: { return: 'i32', arguments: ['i32', 'pointer', 'pointer'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'] },
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
  recvmsg: { return: 'i32', arguments: ['i32', 'pointer', 'i32'] },
  recvmmsg: { return: 'i32', arguments: ['i32', 'pointer', 'u32', 'i32', 'pointer'] },
  sendmsg: { return: 'i32', arguments: ['i32', 'pointer', 'i32'] },
  sendmmsg: { return: 'i32', arguments: ['i32', 'pointer', 'u32', 'i32'] },
  close: { return: 'i32', arguments: ['i32'] },
  epoll_create1: { return: 'i32', arguments: ['i32'] },
  epoll_ctl: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer'] },
  epoll_wait: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'i32'] },
  eventfd: { return: 'i32', arguments: ['u32', 'i32'] },
  eventfd_read: { return: 'i32', arguments: ['i32', 'pointer'] },
  // io_uring has no functions of its own in the C library.
  syscall: { return: 'i32', arguments: ['u64', 'u64', 'u64', 'u64', 'u64', 'u64', 'u64'] },
  __errno_location: { return: 'pointer', arguments: [] },
} as const

/** A function has one signature in a library: this one makes no bigint of the numbers that change. */
const enterSignature = {
  syscall: { return: 'i32', arguments: ['u64', 'i32', 'u32', 'u32', 'u32', 'pointer', 'u64'] },
} as const

type Functions = Ffi.WrappedFunctionsFromDefinitions<typeof signatures>

export interface Libc extends Functions {
  /** `syscall` for io_uring_enter: its number, the ring, requests, results, flags, what to wait for. */
  readonly enterRing: Ffi.WrappedFunctionsFromDefinitions<typeof enterSignature>['syscall']
  /** errno of the last call on this thread, to be read directly after it. */
  readonly errno: () => number
  /** A view of memory that stays where it is. */
  readonly view: (pointer: bigint, length: number) => ArrayBuffer
}

/** The library, once for each thread; or why there is none, as words for a log line. */
export function loadLibc(): Libc | string {
  loaded ??= load()
  return loaded
}

let loaded: Libc | string | undefined

function load(): Libc | string {
  if (process.platform !== 'linux') return `no Linux but ${process.platform}`
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `no structure layouts for ${process.arch}`
  try {
    const ffi = withoutWarnings(() => createRequire(import.meta.url)('node:ffi') as typeof Ffi)
    const { functions } = ffi.dlopen(null, signatures)
    const errnoView = new Int32Array(ffi.toArrayBuffer(functions.__errno_location(), 4, false))
    return {
      ...functions,
      enterRing: ffi.dlopen(null, enterSignature).functions.syscall,
      errno: () => errnoView[0]!,
      view: (pointer, length) => ffi.toArrayBuffer(pointer, length, false),
    }
  } catch (error) {
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
    return `no node:ffi (${code ?? String(error)})`
  }
}

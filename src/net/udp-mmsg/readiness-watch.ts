/** A thread that waits, when it is asked to, until a driver has something to read, and says so. It reads nothing itself. */

import { parentPort, workerData } from 'node:worker_threads'
import { constants as c, errno } from './abi.ts'
import { Arena } from './arena.ts'
import { loadLibc } from './libc.ts'
import { type ReadinessWatchData, watchState } from './readiness-watch-state.ts'

/** A process that ends joins its threads, and one in a system call has to come out of it. */
const longestWaitMs = 1000

const { descriptor, state } = workerData as ReadinessWatchData
const word = new Int32Array(state)
const libc = loadLibc()
if (typeof libc === 'string') throw new Error(libc)
const arena = Arena.map(libc, 4096)
if (arena === undefined) throw new Error('no memory')
const at = arena.take(16, 16)
const event = arena.pointer(at)
const epoll = libc.epoll_create1(c.EPOLL_CLOEXEC)
arena.words[at >> 2] = c.EPOLLIN
if (epoll < 0 || libc.epoll_ctl(epoll, c.EPOLL_CTL_ADD, descriptor, event) !== 0) {
  throw new Error(`epoll: errno ${libc.errno()}`)
}

for (;;) {
  Atomics.wait(word, 0, watchState.idle)
  if (Atomics.load(word, 0) === watchState.stopped) break
  const count = libc.epoll_wait(epoll, event, 1, longestWaitMs)
  if (count < 0 && libc.errno() !== errno.EINTR) throw new Error(`epoll_wait: errno ${libc.errno()}`)
  if (count <= 0) continue
  if (Atomics.compareExchange(word, 0, watchState.waiting, watchState.idle) === watchState.stopped) break
  parentPort!.postMessage(undefined)
}
libc.close(epoll)
arena.unmap()

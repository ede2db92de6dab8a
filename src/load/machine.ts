/** The machine that a load comes from: its sockets, and who calls when it is time for the next packets. */

import type { Host } from '../core/host.ts'
import { NodeHost } from '../net/node-host.ts'
import { MmsgHost } from '../net/udp-mmsg/mmsg-host.ts'

export interface LoadMachine {
  readonly host: Host
  /** The driver that sends: `mmsg`, `dgram`. */
  readonly io: string
  /** Why it is not the best one; undefined when it is. */
  readonly because: string | undefined
  /** Whether there is much to send: then a core of this machine is kept busy, and nothing waits for a timer. */
  setBusy(isBusy: boolean): void
  /** Calls back once, when what has come by now has been handed in. */
  nextTurn(callback: () => void): void
  stop(): void
}

/** Batched system calls where they work, node:dgram elsewhere. */
export function openMachine(io: 'auto' | 'dgram' = 'auto'): LoadMachine {
  const host = new NodeHost()
  const batching = io === 'dgram' ? 'not asked for' : MmsgHost.open(host, { isPlain: true })
  if (typeof batching === 'string') return dgramMachine(host, batching)
  return {
    host: batching,
    io: 'mmsg',
    because: undefined,
    setBusy: (isBusy) => {
      batching.waitMs = isBusy ? 0 : 1
    },
    nextTurn: setImmediate,
    stop: () => batching.stop(),
  }
}

function dgramMachine(host: Host, because: string): LoadMachine {
  let isBusy = false
  return {
    host,
    io: 'dgram',
    because,
    setBusy: (value) => {
      isBusy = value
    },
    nextTurn: (callback) => {
      if (isBusy) setImmediate(callback)
      else setTimeout(callback, 1)
    },
    stop: () => {},
  }
}

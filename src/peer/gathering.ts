/** Waiting for all candidates, for those who cannot be told of them one by one. */

import type { PeerConnection } from './peer-connection.ts'

/** Limit: a server that has not answered by then has a candidate that comes too late. */
const patienceMs = 5000

/** Resolves when every candidate is in the local description, or the patience is at its end. */
export function gathered(connection: PeerConnection): Promise<void> {
  return new Promise((resolve) => {
    const { unSubscribe } = connection.iceGatheringStateChange.subscribe(() => settle())
    const timer = setTimeout(() => settle(true), patienceMs)
    const settle = (isOver = false) => {
      if (!isOver && connection.iceGatheringState !== 'complete') return
      clearTimeout(timer)
      unSubscribe()
      resolve()
    }
    settle()
  })
}

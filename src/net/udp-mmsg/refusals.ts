/** What to do when the system refuses a message: the same for every way of sending. */

import { errno } from './abi.ts'
import type { Outbox } from './outbox.ts'

/** `singly`: each packet by itself; `again`: the error was an older packet's; `drop`: it is lost. */
export type Verdict = 'singly' | 'again' | 'drop'

/** Judges a run that the system would not send, and remembers what the path cannot do. */
export function judgeRefusal(outbox: Outbox, run: number, error: number): Verdict {
  // An ICMP error of an earlier packet is told to the next one that is sent; this one has nothing to do with it.
  if (error === errno.ECONNREFUSED) return 'again'
  if (outbox.packetsIn(run) === 1) return 'drop'
  const socket = outbox.socketOf(run)
  switch (error) {
    case errno.EIO:
      // The device cannot fill in checksums, so it cannot cut messages into packets.
      socket.longestSegment = 0
      return 'singly'
    case errno.EINVAL:
    case errno.EMSGSIZE:
      // A packet of this length does not fit the path in one piece: fragments are made of single packets only.
      socket.longestSegment = Math.min(socket.longestSegment, outbox.segmentOf(run) - 1)
      return 'singly'
    default:
      return 'drop'
  }
}

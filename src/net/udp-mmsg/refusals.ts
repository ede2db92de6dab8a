/** What to do when the system refuses a message: the same for every way of sending. */

import { errno } from './abi.ts'
import type { Outbox } from './outbox.ts'

/** `singly`: each packet by itself; `again`: the error was an older packet's; `drop`: it is lost. */
export type Verdict = 'singly' | 'again' | 'drop'

/** What an ICMP error may have been about: the system tells it to the next packet, wherever that is bound for. */
const toldOfOthers: readonly number[] = [
  errno.ECONNREFUSED,
  errno.EHOSTUNREACH,
  errno.ENETUNREACH,
  errno.EHOSTDOWN,
  errno.ENOPROTOOPT,
  errno.EOPNOTSUPP,
  errno.EPROTO,
]

/** Whether the refusal may have been an older packet's, so that this one is worth a second try. */
export function mayBeOfAnother(error: number): boolean {
  return toldOfOthers.includes(error)
}

/** Judges a run that the system would not send, and remembers what the path cannot do. */
export function judgeRefusal(outbox: Outbox, run: number, error: number): Verdict {
  const socket = outbox.socketOf(run)
  if (outbox.packetsIn(run) > 1) {
    switch (error) {
      case errno.EIO:
        // The device cannot fill in checksums, so it cannot cut messages into packets.
        socket.longestSegment = 0
        return 'singly'
      case errno.EINVAL:
      case errno.EMSGSIZE:
        // A packet of this length does not fit the path in one piece, and fragments are made of single packets only.
        socket.longestSegment = Math.min(socket.longestSegment, outbox.segmentOf(run) - 1)
        return 'singly'
      default:
    }
  }
  return mayBeOfAnother(error) ? 'again' : 'drop'
}

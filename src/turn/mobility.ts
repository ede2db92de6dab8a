/** What a mobile client's allocation has more than others (RFC 8016 §3.2.2): its ticket, and the move it is at. */

import type { Instant } from '../core/time.ts'
import { type ClientPath, isSamePath } from './client-path.ts'

export class Mobility {
  /** Names the allocation inside its tickets. */
  readonly handle: number
  /** The one inside the tickets that another engine has given, from where the allocation has come. */
  readonly formerHandle: number | undefined
  /** Counts the tickets: only the newest is good for a move. */
  generation = 0
  ticket: Uint8Array
  /** Where the client has said that it is now, and has not yet sent data from. */
  pending: ClientPath | undefined
  /** Where the last move went, and until when its request may be retransmitted. */
  lastMove: { readonly path: ClientPath; readonly until: Instant } | undefined

  constructor(handle: number, ticket: Uint8Array, formerHandle?: number) {
    this.handle = handle
    this.formerHandle = formerHandle
    this.ticket = ticket
  }

  /** Whether the request with that ticket has been answered, and comes again because the answer was lost. */
  isRepeated(generation: number, path: ClientPath, now: Instant): boolean {
    const { lastMove } = this
    return (
      generation === this.generation - 1 &&
      lastMove !== undefined &&
      now < lastMove.until &&
      isSamePath(lastMove.path, path.socket, path.client)
    )
  }
}

/** One component of a data stream: which pair is selected, where data goes, and when consent is due. */

import { type Instant, instant } from '../core/time.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { PathReason, SendPath } from './outputs.ts'

export class Component {
  readonly stream: number
  /** From 1 (RFC 8445 §13). */
  readonly id: number
  /** The nominated pair; undefined until there is one. */
  selected: CandidatePair | undefined
  /** Where data goes: the selected pair, or before that the best valid one. */
  sending: CandidatePair | undefined
  path: SendPath | undefined
  /** Why the path is what it is. */
  pathReason: PathReason = 'first-valid-pair'
  sendingSince: Instant = instant(0)
  /** The peer has been silent for longer than it should. */
  isSilent = false
  /** When the next consent check or keepalive is due; undefined while there is no pair to keep. */
  nextConsentAt: Instant | undefined

  constructor(stream: number, id: number) {
    this.stream = stream
    this.id = id
  }
}

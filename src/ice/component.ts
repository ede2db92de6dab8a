/** One component of a data stream: which pair is selected, where data goes, and how long that is good for. */

import { type Instant, instant } from '../core/time.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { PathReason } from './outputs.ts'
import type { SendPath } from './send-path.ts'

export class Component {
  readonly stream: number
  /** From 1 (RFC 8445 §13). */
  readonly id: number
  /** The nominated pair; undefined until there is one. */
  selected: CandidatePair | undefined
  /** Where data goes: the selected pair, or before that the best valid one. */
  sending: CandidatePair | undefined
  sendingSince: Instant = instant(0)
  /** The value of our latest nomination for it. */
  lastNomination = 0
  /** Why data goes there. */
  pathReason: PathReason = 'first-valid-pair'
  /** When the pair that data went to was lost; undefined while there is one, and before the first. */
  lostAt: Instant | undefined
  /** The peer has been silent for longer than it should. */
  isSilent = false
  /** When the peer was last asked for its consent, and nothing has been concluded from its silence since. */
  askedAt: Instant | undefined
  /** When valid pairs that are not in use are probed next; undefined while there are none, or no use for them. */
  nextProbeAt: Instant | undefined
  /** When the next consent check or keepalive is due; undefined while there is no pair to keep. */
  nextConsentAt: Instant | undefined

  constructor(stream: number, id: number) {
    this.stream = stream
    this.id = id
  }

  get path(): SendPath | undefined {
    return this.sending?.path
  }
}

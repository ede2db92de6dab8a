/** What can be told of a pair: in short, and as W3C's RTCIceCandidatePairStats has it. */

import type { CandidatePair } from './candidate-pair.ts'
import type { PairSummary } from './outputs.ts'
import { priorityAsBigInt } from './pair-priority.ts'

export function summaryOf(pair: CandidatePair): PairSummary {
  return {
    id: pair.id,
    stream: pair.local.stream,
    component: pair.component,
    local: pair.mapped ?? pair.local,
    remote: pair.remote,
    state: pair.state,
    isNominated: pair.isNominated,
    priority: priorityAsBigInt(pair.priority),
    rttMs: pair.rttMs,
    failure: pair.failure,
    failureDetail: pair.failureDetail,
  }
}

/** Ready-made filters for `gatherFilter` and `advertiseFilter`: the policies of W3C's `iceTransportPolicy` and of browsers. */

import type { LocalCandidate } from './candidate.ts'

export type CandidateFilter = (candidate: LocalCandidate) => boolean

export const candidateFilters = {
  all: () => true,
  /** Nothing but relays: the peer learns no address of ours. */
  relay: ({ type }) => type === 'relay',
  /** No private addresses of ours. */
  'no-host': ({ type }) => type !== 'host',
  'udp-only': ({ protocol }) => protocol === 'udp',
} as const satisfies Record<string, CandidateFilter>

/** Why there is no allocation, or why a peer cannot be reached through it, as a value and in words. */

import { formatFailure, type StunFailure } from '../../stun/client-failure.ts'

export type TurnFailure =
  | StunFailure
  /** It was not refreshed in time, as after a long sleep of this machine. */
  | { readonly type: 'expired' }
  /** `allocateDeadlineMs` is over. */
  | { readonly type: 'deadline-exceeded' }
  /** The server has sent us where we may not go, or round in a circle. `problem` is for people. */
  | { readonly type: 'bad-redirect'; readonly problem: string }

export type PeerFailure =
  | StunFailure
  /** There is no relayed transport address of the peer's family. */
  | { readonly type: 'family-not-allocated' }
  /** All 4,096 channel numbers are bound or cooling. */
  | { readonly type: 'no-free-channel' }

/** One line for people, such as `486 Allocation Quota Reached`. */
export function formatTurnFailure(failure: TurnFailure | PeerFailure): string {
  switch (failure.type) {
    case 'expired':
      return 'the allocation was not refreshed in time'
    case 'deadline-exceeded':
      return 'no allocation in time'
    case 'bad-redirect':
      return failure.problem
    case 'family-not-allocated':
      return "the server relays from no address of the peer's family"
    case 'no-free-channel':
      return 'all channel numbers are in use'
    default:
      return formatFailure(failure)
  }
}

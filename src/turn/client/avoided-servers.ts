/**
 * Servers that are not to be asked for a while, for what they have answered (RFC 8656 §7.4, RFC 5928 §3). Shared by
 * whoever makes allocations for one user.
 */

import { type Instant, later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { TurnFailure } from './failure.ts'

/** How long each refusal keeps the client away. */
const avoidMs: Readonly<Record<number, number>> = {
  // After three ports of ours.
  437: 120_000,
  486: 60_000,
  508: 60_000,
}

export class AvoidedServers {
  #avoided: { readonly server: TransportAddress; readonly until: Instant; readonly failure: TurnFailure }[] =
    []

  /** An allocation there has failed. */
  note(server: TransportAddress, failure: TurnFailure, now: Instant): void {
    this.#avoided = this.#avoided.filter(({ until }) => until > now)
    const milliseconds = failure.type === 'rejected' ? avoidMs[failure.code] : undefined
    if (milliseconds !== undefined) this.#avoided.push({ server, until: later(now, milliseconds), failure })
  }

  /** What the server has said, if it is still to be left alone. */
  find(server: TransportAddress, now: Instant): TurnFailure | undefined {
    return this.#avoided.find(({ server: other, until }) => until > now && other.equals(server))?.failure
  }
}

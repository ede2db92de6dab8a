/**
 * Answers to who has shown no valid credential (RFC 8489 §9.2.4): small, few for each source that has not proved that it
 * receives them, and told to the log now and then.
 */

import { type Random, randomUint32 } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Message } from '../stun/message.ts'
import type { Authentication, AuthenticationFailure, Authenticator } from './authentication.ts'
import { NoticeThrottle } from './notice-throttle.ts'
import { type ReplyAddress, reject } from './outcome.ts'
import { PrefixLimiter } from './prefix-limiter.ts'
import type { ServerState } from './request.ts'
import { isStreamSocket } from './socket-numbers.ts'
import { describeUsername } from './username.ts'

/** Limit: how many prefixes may be told of in a minute. */
const failureSlots = 4096

export class UnauthenticatedAnswers {
  readonly #state: ServerState
  readonly #authenticator: Authenticator
  readonly #limiter: PrefixLimiter
  readonly #failures: NoticeThrottle
  readonly #withheld: NoticeThrottle

  constructor(state: ServerState, authenticator: Authenticator, random: Random) {
    this.#state = state
    this.#authenticator = authenticator
    const { shared } = state.options
    const seed = shared?.prefixSeed ?? randomUint32(random)
    this.#limiter = new PrefixLimiter(state.limits.unauthenticatedRate, seed, shared?.prefixes)
    this.#failures = new NoticeThrottle(failureSlots, randomUint32(random))
    this.#withheld = new NoticeThrottle(1, 0)
  }

  /**
   * Whether one more answer may go there; it is counted. A stream's source is proved, for it cannot be a victim, and so
   * is that of an allocation: they have no limit.
   */
  admits(socket: SocketId, source: AddressWords, now: Instant): boolean {
    const isProven =
      isStreamSocket(socket) || this.#state.allocations.findByClient(socket, source) !== undefined
    if (isProven || this.#limiter.admit(source, now)) return true
    this.#state.counters.answersWithheld++
    const times = this.#withheld.count(source, now)
    if (times !== undefined) {
      this.#state.outputs.push({ type: 'answers-withheld', source: TransportAddress.from(source), times })
    }
    return false
  }

  /** The limit spares who has proved, by a nonce, that our answers reach it. */
  answer(
    message: Message,
    reply: Omit<ReplyAddress, 'key'>,
    authentication: Extract<Authentication, { type: 'challenged' | 'refused' }>,
    now: Instant,
  ): void {
    const { counters, answers } = this.#state
    const isProven = this.#authenticator.isProven(message, reply.client, now)
    if (!isProven && !this.admits(reply.socket, reply.client, now)) return
    if (authentication.type === 'refused') {
      answers.answer({ ...reply, key: undefined }, reject(authentication.code, ...authentication.attributes))
      return
    }
    const { code, key, failure } = authentication
    // A source that may be forged says nothing that would be worth a line.
    if (failure !== undefined && (isProven || isStreamSocket(reply.socket))) {
      this.#tell(message, reply.client, failure, now)
    }
    counters.challenges++
    answers.answer({ ...reply, key }, reject(code, ...this.#authenticator.challenge(reply.client, now)))
  }

  #tell(message: Message, source: TransportAddress, reason: AuthenticationFailure, now: Instant): void {
    this.#state.counters.authenticationFailures++
    const times = this.#failures.count(source, now)
    if (times === undefined) return
    const username = describeUsername(message.raw('USERNAME'))
    this.#state.outputs.push({ type: 'authentication-failed', source, username, reason, times })
  }
}

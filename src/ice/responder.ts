/** Takes checks of the peer and answers them (RFC 8445 §7.3). Nothing changes before a request is authenticated. */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { StunErrorCode } from '../stun/error-codes.ts'
import { checkIntegrity } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import { encodeError, encodeSuccess, transactionKey, ufragsOf, unknownCheckAttributes } from './binding.ts'
import { isPriority } from './candidate.ts'
import { type EarlyCheck, rememberEarly } from './early-checks.ts'
import type { Generation } from './generation.ts'
import { type IceRole, resolveRole } from './role.ts'
import type { Session } from './session.ts'

export interface RequestListener {
  switchRole(reason: 'request', now: Instant): void
  /** An accepted request of a peer whose credentials we know. */
  accepted(generation: Generation, request: EarlyCheck, transaction: string, now: Instant): void
}

export class Responder {
  readonly #session: Session
  readonly #listener: RequestListener

  constructor(session: Session, listener: RequestListener) {
    this.#session = session
    this.#listener = listener
  }

  /** `generation` is the one that the request's USERNAME names. */
  handleRequest(
    message: Message,
    generation: Generation,
    socket: SocketId,
    source: AddressWords,
    now: Instant,
  ): 'stun' | 'dropped' {
    const { localKey } = generation
    if (!checkIntegrity(message, localKey)) return this.refuse(message, 401, socket, source)
    const ufrag = ufragsOf(message)?.remote ?? ''
    if (!generation.expects(ufrag)) return this.#session.drop('unknown-user')
    const reply = (code: StunErrorCode, ...more: Attribute[]) => {
      this.#answer(socket, source, encodeError(message, code, localKey, more))
      return 'stun' as const
    }
    const unknown = unknownCheckAttributes(message)
    if (unknown.length > 0) return reply(420, ['UNKNOWN-ATTRIBUTES', unknown])
    const priority = message.get('PRIORITY')
    const claim = claimedRole(message)
    const isKnownPath = generation.paths.get(socket, source) !== undefined
    if (message.malformed() !== undefined) return reply(400)
    if (priority === undefined ? !isKnownPath : !isPriority(priority)) return reply(400)
    if (claim === undefined && !isKnownPath) return reply(400)
    if (claim !== undefined && !this.#settleRole(claim.role, claim.tiebreaker, now)) return reply(487)
    this.#answer(socket, source, encodeSuccess(message, source, localKey))
    const request: EarlyCheck = {
      socket,
      source: TransportAddress.from(source),
      ufrag,
      priority,
      nomination: message.has('USE-CANDIDATE') ? (message.get('NOMINATION') ?? 0) : undefined,
    }
    if (generation.remote?.ufrag !== request.ufrag) {
      if (!rememberEarly(generation.early, request)) this.#session.drop('too-many-early-checks')
      return 'stun'
    }
    this.#listener.accepted(generation, request, transactionKey(message.transactionId), now)
    return 'stun'
  }

  /** RFC 8489 §9.1.3: what cannot be authenticated is told so, unsigned, and changes nothing. */
  refuse(message: Message, code: 400 | 401, socket: SocketId, source: AddressWords): 'dropped' {
    this.#answer(socket, source, encodeError(message, code, undefined))
    return this.#session.drop(code === 401 ? 'unauthenticated' : 'malformed')
  }

  #answer(socket: SocketId, source: AddressWords, bytes: Uint8Array): void {
    this.#session.transmit(socket, TransportAddress.from(source), bytes, 'response')
  }

  /** False if the request is to be answered 487 (RFC 8445 §7.3.1.1). */
  #settleRole(claimed: IceRole, theirs: bigint, now: Instant): boolean {
    if (this.#session.options.lite) return true
    const verdict = resolveRole(this.#session.role, this.#session.tiebreaker, claimed, theirs)
    if (verdict === 'switch') this.#listener.switchRole('request', now)
    return verdict !== 'refuse'
  }
}

function claimedRole(message: Message): { role: IceRole; tiebreaker: bigint } | undefined {
  const controlling = message.get('ICE-CONTROLLING')
  if (controlling !== undefined) return { role: 'controlling', tiebreaker: controlling }
  const controlled = message.get('ICE-CONTROLLED')
  return controlled === undefined ? undefined : { role: 'controlled', tiebreaker: controlled }
}

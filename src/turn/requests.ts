/**
 * Requests that need credentials, on their way to their method and back (RFC 8489 §6.3, §9.2.4, RFC 8656 §5):
 * authentication, what is malformed, what is not understood, the allocation, its owner.
 */

import { unreachable } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { decodeMessage, type Message } from '../stun/message.ts'
import type { MethodName } from '../stun/methods.ts'
import type { AlternateServer } from './alternate-server.ts'
import { Authenticator } from './authentication.ts'
import type { Credential } from './credential.ts'
import { endDue } from './expiry.ts'
import { AllocateMethod } from './methods/allocate.ts'
import { handleChannelBind } from './methods/channel-bind.ts'
import { handleConnect } from './methods/connect.ts'
import { controlOf, handleConnectionBind } from './methods/connection-bind.ts'
import { handleCreatePermission } from './methods/create-permission.ts'
import { handleRefresh } from './methods/refresh.ts'
import { fetchTicket, handleResume } from './methods/resume.ts'
import { type Outcome, reject } from './outcome.ts'
import { PendingAuthorizations } from './pending-authorizations.ts'
import { Redirects } from './redirects.ts'
import type { ServerState, TurnRequest } from './request.ts'
import type { FetchResult, WaitingRequest } from './transfer-items.ts'
import { UnauthenticatedAnswers } from './unauthenticated.ts'
import { unknownAttributes } from './understood-attributes.ts'

/** What has been found out for a request since it came. */
interface Found {
  readonly credentials?: readonly Credential[]
  readonly fetched?: FetchResult
}

export class Requests {
  readonly #state: ServerState
  readonly #authenticator: Authenticator
  readonly #unauthenticated: UnauthenticatedAnswers
  readonly #redirects: Redirects
  readonly #authorizations: PendingAuthorizations
  readonly #allocate: AllocateMethod
  #isRetired = false

  constructor(state: ServerState, random: Random) {
    const { options, deadlines, outputs } = state
    this.#state = state
    this.#authenticator = new Authenticator(options, random)
    this.#authorizations = new PendingAuthorizations(deadlines, outputs)
    this.#redirects = new Redirects(options.alternates ?? [])
    this.#unauthenticated = new UnauthenticatedAnswers(state, this.#authenticator, random)
    this.#allocate = new AllocateMethod(state, random)
    if (state.transfers !== undefined) {
      state.transfers.resume = (request, result, now) => this.#resume(request, now, { fetched: result })
    }
  }

  /** The sockets that Allocate asks for are told of here. */
  get allocate(): AllocateMethod {
    return this.#allocate
  }

  /** Whether one more answer may go to who has not authenticated; it is counted. */
  admits(socket: SocketId, source: AddressWords, now: Instant): boolean {
    return this.#unauthenticated.admits(socket, source, now)
  }

  retire(): void {
    this.#isRetired = true
  }

  redirectTo(alternates: readonly AlternateServer[]): void {
    this.#redirects.set(alternates)
  }

  streamClosed(socket: SocketId): void {
    this.#authorizations.forgetSocket(socket)
    this.#state.transfers?.streamClosed(socket)
  }

  handleTimeout(now: Instant): void {
    endDue(this.#state, this.#authorizations, now)
  }

  /** The answer to an 'authorize'. */
  authorized(id: number, credentials: readonly Credential[], now: Instant): void {
    const pending = this.#authorizations.take(id)
    if (pending !== undefined) this.#resume(pending, now, { credentials })
  }

  /** Goes on with a request that something had to be asked for. */
  #resume(request: WaitingRequest, now: Instant, found: Found): void {
    const message = decodeMessage(request.bytes)
    if (typeof message === 'string' || message.method === undefined) return
    this.handle(message, message.method, request, now, found)
  }

  handle(
    message: Message,
    method: MethodName,
    from: Pick<Datagram, 'socket' | 'source'>,
    now: Instant,
    { credentials, fetched }: Found = {},
  ): void {
    const { socket, source } = from
    // What is over by now is gone, however late the timer: a number or a port may be asked for that it held.
    endDue(this.#state, this.#authorizations, now)
    const known =
      method === 'ConnectionBind'
        ? controlOf(message, this.#state)
        : this.#state.allocations.findByClient(socket, source)
    const authentication = this.#authenticator.authenticate(
      { message, method, source, known, found: credentials },
      now,
    )
    const reply = {
      socket,
      client: TransportAddress.from(source),
      method,
      transactionId: message.transactionId.slice(),
    }
    switch (authentication.type) {
      case 'authenticated': {
        const { credential, key, longestLifetime } = authentication
        const { username } = credential
        const request = { ...reply, key, message, username, credential, longestLifetime, now, fetched }
        this.#state.answers.answer(request, this.#dispatch(request))
        return
      }
      case 'asked':
        this.#authorizations.ask(message, from, authentication, now)
        return
      case 'refused':
      case 'challenged':
        this.#unauthenticated.answer(message, reply, authentication, now)
        return
      default:
        unreachable(authentication)
    }
  }

  #dispatch(request: TurnRequest): Outcome {
    const { message, method } = request
    if (message.malformed() !== undefined) return reject(400)
    const unknown = unknownAttributes(
      message,
      method,
      method === 'Allocate' ? this.#allocate.understands(message) : [],
    )
    if (unknown.length > 0) return reject(420, ['UNKNOWN-ATTRIBUTES', unknown])
    const ticket = method === 'Refresh' ? message.get('MOBILITY-TICKET') : undefined
    if (ticket !== undefined)
      return fetchTicket(request, ticket, this.#state) ?? handleResume(request, ticket, this.#state)
    if (method === 'ConnectionBind') return handleConnectionBind(request, this.#state)
    const allocation = this.#state.allocations.findByClient(request.socket, request.client)
    if (method === 'Allocate') {
      const transport = this.#state.transports.get(request.socket) ?? 'udp'
      const elsewhere = allocation === undefined ? this.#redirects.redirect(request, transport) : undefined
      if (elsewhere !== undefined) return elsewhere
      // What was reserved belongs to an allocation that goes on.
      const isNew = allocation === undefined && !message.has('RESERVATION-TOKEN')
      return isNew && this.#isRetired ? reject(508) : this.#allocate.handle(request)
    }
    if (allocation === undefined || allocation.state !== 'active') return reject(437)
    if (!request.credential.isSameOwner(allocation.credential)) return reject(441)
    allocation.credential = request.credential
    const known = { ...request, allocation }
    switch (method) {
      case 'Refresh':
        return handleRefresh(known, this.#state)
      case 'CreatePermission':
        return handleCreatePermission(known, this.#state)
      case 'ChannelBind':
        return handleChannelBind(known, this.#state)
      case 'Connect':
        return handleConnect(known, this.#state)
      default:
        return { type: 'silence' }
    }
  }
}

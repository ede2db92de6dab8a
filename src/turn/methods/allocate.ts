/**
 * Allocate: RFC 8656 §7.2. The world has to be asked for relay sockets, so the answer comes later: `bound`
 * and `failed` go on where `handle` has left off.
 */

import { type Random, randomUint32 } from '../../core/random.ts'
import type { SocketId } from '../../core/sans-io.ts'
import type { Instant } from '../../core/time.ts'
import type { Attribute, AttributeName } from '../../stun/attributes.ts'
import type { AddressFamily } from '../../stun/codecs.ts'
import type { Message } from '../../stun/message.ts'
import { Allocation, RelayedTransportAddress } from '../allocation.ts'
import { type Outcome, type ReplyAddress, reject, succeed } from '../outcome.ts'
import { isTunnelled } from '../peer-policy.ts'
import type { QuotaClaim } from '../quota-claims.ts'
import type { Relays } from '../relay-address.ts'
import type { BindTask, RelayNeed } from '../relay-binder.ts'
import type { RelaySocket } from '../relay-sockets.ts'
import type { ServerState, TurnRequest } from '../request.ts'
import type { Reservation } from '../reservation.ts'
import { engineOf } from '../reservations.ts'
import { isStreamSocket, type RelayTransport } from '../socket-numbers.ts'
import { grantedLifetime } from './refresh.ts'

/** IANA protocol numbers (RFC 8656 §18.8, RFC 6062 §4.1). */
const udp = 17
const tcp = 6

const onlyForUdp = ['DONT-FRAGMENT', 'EVEN-PORT', 'RESERVATION-TOKEN'] as const

/** Interop: how Debian's turnutils_uclient -Z asks for both families; it is answered in kind. */
const draftAdditionalFamily = 'SSODA-ADDITIONAL-ADDRESS-FAMILY'

const later: Outcome = { type: 'later' }

export class AllocateMethod {
  readonly #state: ServerState
  readonly #random: Random

  constructor(state: ServerState, random: Random) {
    this.#state = state
    this.#random = random
  }

  /** What it knows besides the attributes that every server knows. What is forbidden with TCP is known to be. */
  understands(message: Message): readonly AttributeName[] {
    const { canSetDontFragment, tcpRelay } = this.#state.options
    const isTcp = tcpRelay === true && message.get('REQUESTED-TRANSPORT') === tcp
    return canSetDontFragment === true || isTcp ? ['DONT-FRAGMENT'] : []
  }

  handle(request: TurnRequest): Outcome {
    const { allocations, reservations, relays, mobile } = this.#state
    const { message, socket, client } = request
    // 1. A five-tuple in use: the same request again gets the same answer, another one 437.
    const existing = allocations.findByClient(socket, client)
    if (existing !== undefined) {
      if (!isSameTransaction(existing.transactionId, request.transactionId)) return reject(437)
      return existing.state === 'active' ? granted(existing) : later
    }
    // 2. No clients out of Teredo and 6to4 tunnels, which could be made to loop (§21.4).
    if (isTunnelled(client)) return reject(403)
    // 3. REQUESTED-TRANSPORT: UDP, or TCP where that is relayed. (4. DONT-FRAGMENT is understood or is not.)
    const transport = message.get('REQUESTED-TRANSPORT')
    if (transport === undefined) return reject(400)
    if (transport === tcp && this.#state.options.tcpRelay === true) return this.#handleTcp(request)
    if (transport !== udp) return reject(442)
    // An empty MOBILITY-TICKET asks for one; there is nothing to be resumed here (RFC 8016 §3.1.2).
    const ticket = message.get('MOBILITY-TICKET')
    if (ticket !== undefined && ticket.length > 0) return reject(400)
    if (ticket !== undefined && mobile === undefined) return reject(405)
    // 5. RESERVATION-TOKEN chooses the address by itself.
    const token = message.get('RESERVATION-TOKEN')
    if (token !== undefined) {
      if (choosesAddress(message)) return reject(400)
      const reservation = reservations.find(token, request.now)
      if (reservation !== undefined) return this.#redeem(request, reservation)
      return this.#fetch(request, token) ?? reject(508)
    }
    // 6. to 9. Families and ports.
    const plan = planOf(message, relays)
    return plan.type === 'plan' ? this.#begin(request, plan) : plan
  }

  /** A relay socket is there; with the last one the allocation begins. */
  bound(socket: SocketId, now: Instant): void {
    if (this.#state.transfers?.bound(socket, now) === true) return
    this.#finish(this.#state.binder.bound(socket), now)
  }

  failed(socket: SocketId, reason: string, now: Instant): void {
    if (this.#state.transfers?.failed(socket, now) === true) return
    this.#finish(this.#state.binder.failed(socket, reason), now)
  }

  /** RFC 6062 §5.1: by TCP or TLS only, and without what is of UDP. */
  #handleTcp(request: TurnRequest): Outcome {
    const { message, socket } = request
    if (!isStreamSocket(socket) || onlyForUdp.some((name) => message.has(name))) return reject(400)
    const plan = planOf(message, this.#state.relays)
    return plan.type === 'plan' ? this.#begin(request, plan, 'tcp') : plan
  }

  #begin(request: TurnRequest, { needs, unsupported }: Plan, transport: RelayTransport = 'udp'): Outcome {
    const { allocations, binder } = this.#state
    const held = needs[0]?.ports === 'pair' ? 2 : 1
    const allocation = this.#newAllocation(request, transport)
    const { message } = request
    // A client that knows both numbers asks by both, and is answered by that of the RFC.
    const isDraft = message.has(draftAdditionalFamily) && !message.has('ADDITIONAL-ADDRESS-FAMILY')
    if (unsupported !== undefined) allocation.answered = [addressError(unsupported, 440, isDraft)]
    allocations.add(allocation)
    const task = {
      isDraft,
      allocation,
      reply: replyOf(request),
      held,
      isMobile: isMobile(request),
      needs: [...needs],
    }
    // 10. The quota; a reservation counts as an allocation does.
    const bind = (now: Instant) =>
      this.#finish(binder.next({ ...task, unmet: [], bound: [], reserved: undefined }), now)
    this.#claim({ allocation, count: held, granted: bind }, task.reply, request.now)
    return later
  }

  /** If the token is another engine's, asks that one; undefined if it is not, or there is no such token any more. */
  #fetch(request: TurnRequest, token: Uint8Array): Outcome | undefined {
    const { transfers } = this.#state
    const owner = engineOf(token)
    if (transfers === undefined || request.fetched !== undefined || owner === transfers.engine)
      return undefined
    return transfers.fetch(owner, { kind: 'reservation', token: token.slice() }, request)
  }

  /** The socket is open already, and the token is good for this once. */
  #redeem(request: TurnRequest, reservation: Reservation): Outcome {
    const { quotas, allocations, reservations, answers } = this.#state
    const allocation = this.#newAllocation(request)
    const reply = replyOf(request)
    const wantsMobility = isMobile(request)
    const begin = (now: Instant) => {
      this.#activate(allocation, [reservation], wantsMobility, now)
      answers.answer(reply, granted(allocation))
    }
    reservations.remove(reservation)
    allocations.add(allocation)
    if (reservation.userId === allocation.userId) {
      // What the reservation held of the quota is the allocation's now.
      allocation.rateSlot = reservation.rateSlot
      begin(request.now)
      return later
    }
    const claim = {
      allocation,
      count: 1,
      granted: (now: Instant) => {
        quotas.release(reservation.userId, 1)
        begin(now)
      },
      withdrawn: () => reservations.putBack(reservation),
    }
    this.#claim(claim, reply, request.now)
    return later
  }

  #claim(claim: Omit<QuotaClaim, 'refused'>, reply: ReplyAddress, now: Instant): void {
    const { quotas, allocations, answers } = this.#state
    const refused = () => {
      allocations.remove(claim.allocation)
      answers.answer(reply, reject(486))
    }
    quotas.claim({ ...claim, refused }, now)
  }

  #finish(task: BindTask | undefined, now: Instant): void {
    if (task === undefined) return
    const { allocation, bound, reserved, unmet, reply } = task
    const { allocations, quotas, reservations, answers } = this.#state
    if (bound.length === 0) {
      allocations.remove(allocation)
      quotas.release(allocation.userId, task.held)
      answers.answer(reply, reject(508))
      return
    }
    if (unmet[0] !== undefined) allocation.answered = [addressError(unmet[0], 508, task.isDraft)]
    if (reserved !== undefined) {
      const { token } = reservations.reserve(reserved, allocation, now)
      allocation.answered = [['RESERVATION-TOKEN', token]]
    }
    this.#activate(allocation, bound, task.isMobile, now)
    answers.answer(reply, granted(allocation))
  }

  #activate(allocation: Allocation, bound: readonly RelaySocket[], isMobile: boolean, now: Instant): void {
    const { allocations, mobile, counters, outputs } = this.#state
    if (isMobile && mobile !== undefined) {
      allocation.answered = [...(allocation.answered ?? []), ['MOBILITY-TICKET', mobile.add(allocation)]]
    }
    for (const { socket, local, address } of bound) {
      allocations.addRelayed(new RelayedTransportAddress(allocation, socket, local, address, now))
    }
    allocations.activate(allocation, now)
    counters.allocationsCreated++
    counters.allocations = allocations.size
    outputs.push({ type: 'allocation-created', allocation })
  }

  #newAllocation(request: TurnRequest, relayTransport: RelayTransport = 'udp'): Allocation {
    const { socket, client, credential, transactionId } = request
    return new Allocation({
      id: randomUint32(this.#random).toString(16).padStart(8, '0'),
      socket,
      client,
      transport: this.#state.transports.get(socket) ?? 'udp',
      relayTransport,
      credential,
      transactionId,
      lifetime: grantedLifetime(request, this.#state.limits),
      createdAt: request.now,
    })
  }
}

interface Plan {
  readonly type: 'plan'
  readonly needs: readonly RelayNeed[]
  /** The family of a dual allocation that this server cannot give. */
  readonly unsupported: AddressFamily | undefined
}

/** Which relayed transport addresses the request asks for: §7.2, 6. to 9. */
function planOf(message: Message, relays: Relays): Plan | Outcome {
  const requested = message.get('REQUESTED-ADDRESS-FAMILY')
  const additional = message.get('ADDITIONAL-ADDRESS-FAMILY') ?? message.get(draftAdditionalFamily)
  const evenPort = message.get('EVEN-PORT')
  const ports = evenPort === undefined ? 'any' : evenPort.reserveNext ? 'pair' : 'even'
  // 6. One family by name, or both; not both ways of asking at once.
  if (requested !== undefined && additional !== undefined) return reject(400)
  // 7. One: IPv4 unless another is asked for.
  if (additional === undefined) {
    const family = requested ?? 'IPv4'
    if (typeof family === 'number' || !relays.supports(family)) return reject(440)
    return { type: 'plan', needs: [{ family, ports }], unsupported: undefined }
  }
  // 8. and 9. Both: there would be two tokens, and the first family is always IPv4.
  if (ports === 'pair' || additional !== 'IPv6') return reject(400)
  const families = (['IPv4', 'IPv6'] as const).filter((family) => relays.supports(family))
  const unsupported = families.length === 2 ? undefined : families[0] === 'IPv4' ? 'IPv6' : 'IPv4'
  return { type: 'plan', needs: families.map((family) => ({ family, ports })), unsupported }
}

/** Whether the request says by itself what a RESERVATION-TOKEN has settled. */
function choosesAddress(message: Message): boolean {
  return (
    message.has('EVEN-PORT') ||
    message.has('REQUESTED-ADDRESS-FAMILY') ||
    message.has('ADDITIONAL-ADDRESS-FAMILY') ||
    message.has(draftAdditionalFamily)
  )
}

function granted(allocation: Allocation): Outcome {
  return succeed(
    ...allocation.relayedAddresses.map((address): Attribute => ['XOR-RELAYED-ADDRESS', address]),
    ['XOR-MAPPED-ADDRESS', allocation.client],
    ['LIFETIME', allocation.lifetime],
    ...(allocation.answered ?? []),
  )
}

function addressError(family: AddressFamily, code: 440 | 508, isDraft: boolean): Attribute {
  return [isDraft ? 'SSODA-ADDRESS-ERROR-CODE' : 'ADDRESS-ERROR-CODE', { family, code, reason: '' }]
}

function isMobile({ message }: TurnRequest): boolean {
  return message.has('MOBILITY-TICKET')
}

function replyOf({ socket, client, method, transactionId, key }: TurnRequest): ReplyAddress {
  return { socket, client, method, transactionId, key }
}

function isSameTransaction(x: Uint8Array, y: Uint8Array): boolean {
  return x.every((byte, i) => byte === y[i])
}

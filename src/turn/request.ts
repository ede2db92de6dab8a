/** A request on its way to its answer, and the state that the methods work on. */

import type { Deadlines } from '../core/deadlines.ts'
import type { OutputQueue } from '../core/output-queue.ts'
import type { Random } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { Message } from '../stun/message.ts'
import type { Allocation } from './allocation.ts'
import type { Allocations, Expirable } from './allocations.ts'
import type { Answers } from './answers.ts'
import type { ServerCounters } from './counters.ts'
import type { Credential } from './credential.ts'
import type { MobileAllocations } from './mobile-allocations.ts'
import type { ServerLimits, TurnServerOptions } from './options.ts'
import type { ReplyAddress } from './outcome.ts'
import type { ServerOutput } from './outputs.ts'
import type { PeerAccess } from './peer-access.ts'
import type { PeerConnections } from './peer-connections.ts'
import type { QuotaClaims } from './quota-claims.ts'
import type { Relays } from './relay-address.ts'
import type { RelayBinder } from './relay-binder.ts'
import type { RelaySockets } from './relay-sockets.ts'
import type { Reservations } from './reservations.ts'
import type { ClientTransport } from './socket-numbers.ts'
import type { FetchResult, TransferDesk } from './transfer-items.ts'

export interface TurnRequest extends ReplyAddress {
  readonly message: Message
  readonly username: string
  readonly credential: Credential
  /** Seconds: what an allocation may last for with this credential. */
  readonly longestLifetime: number
  readonly now: Instant
  /** What came of the search for the thing that it is about; undefined before. */
  readonly fetched: FetchResult | undefined
}

/** A request on a five-tuple that has an active allocation of the same user. */
export interface AllocationRequest extends TurnRequest {
  readonly allocation: Allocation
}

/** What the methods work on. */
export interface ServerState {
  /** The connections of clients that come in by TCP or TLS; every other socket is UDP. */
  readonly transports: Map<SocketId, ClientTransport>
  readonly options: TurnServerOptions
  readonly limits: ServerLimits
  readonly outputs: OutputQueue<ServerOutput>
  readonly answers: Answers
  readonly deadlines: Deadlines<Expirable>
  readonly allocations: Allocations
  readonly reservations: Reservations
  /** Undefined where mobility is forbidden. */
  readonly mobile: MobileAllocations | undefined
  readonly quotas: QuotaClaims
  readonly relays: Relays
  readonly sockets: RelaySockets
  readonly binder: RelayBinder
  readonly peers: PeerAccess
  readonly counters: ServerCounters
  readonly connections: PeerConnections
  readonly random: Random
  /** Listening sockets of UDP. */
  readonly udpListeners: Set<SocketId>
  /** Undefined where no other engine serves the same clients. */
  readonly transfers: TransferDesk | undefined
}

/** Makes what the methods of one engine work on, all of it empty. */

import { Deadlines } from '../core/deadlines.ts'
import type { OutputQueue } from '../core/output-queue.ts'
import type { Random } from '../core/random.ts'
import { Allocations, type Expirable } from './allocations.ts'
import { Answers } from './answers.ts'
import { bandwidthOf } from './bandwidth.ts'
import type { ServerCounters } from './counters.ts'
import { MobileAllocations } from './mobile-allocations.ts'
import { ticketKeyBytes } from './mobility-ticket.ts'
import { limitsOf, type TurnServerOptions } from './options.ts'
import type { ServerOutput } from './outputs.ts'
import { PeerAccess } from './peer-access.ts'
import { PeerConnections } from './peer-connections.ts'
import { asksForQuotas, QuotaClaims } from './quota-claims.ts'
import { quotasOf } from './quotas.ts'
import { Relays } from './relay-address.ts'
import { RelayBinder } from './relay-binder.ts'
import { RelaySockets } from './relay-sockets.ts'
import type { ServerState } from './request.ts'
import { Reservations } from './reservations.ts'
import { Transfers } from './transfers.ts'

export function createState(
  options: TurnServerOptions,
  outputs: OutputQueue<ServerOutput>,
  counters: ServerCounters,
  random: Random,
): ServerState {
  const limits = limitsOf(options)
  const answers = new Answers(outputs, counters)
  const deadlines = new Deadlines<Expirable>()
  const peers = new PeerAccess(options, random)
  const allocations = new Allocations(deadlines, bandwidthOf(limits, options.shared), random)
  const { shared } = options
  const engineNumber = options.engine ?? 1
  const reservations = new Reservations(deadlines, random, shared === undefined ? undefined : engineNumber)
  const quotas = new QuotaClaims(asksForQuotas(options, limits) ? undefined : quotasOf(limits), outputs)
  const relays = new Relays(options.relays, options.relayPorts, shared?.relayPorts, engineNumber)
  const sockets = new RelaySockets(relays, outputs)
  const binder = new RelayBinder(relays, sockets, random)
  const connections = new PeerConnections(deadlines, counters, random)
  const engine = { options, limits, outputs, answers, deadlines, peers, counters, random }
  const isOpen = options.credentials === undefined && (options.tokenKeys ?? []).length === 0
  const canMove = options.mobility === true && !isOpen
  const ticketKeys = shared?.ticketKeys ?? random.bytes(ticketKeyBytes)
  const mobile = canMove ? new MobileAllocations(allocations, outputs, ticketKeys, engineNumber) : undefined
  const transfers = shared === undefined ? undefined : new Transfers(engineNumber, () => state)
  const held = { allocations, reservations, connections, mobile, quotas, relays, sockets, binder, transfers }
  const state: ServerState = { ...engine, ...held, transports: new Map(), udpListeners: new Set() }
  return state
}

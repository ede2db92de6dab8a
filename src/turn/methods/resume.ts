/** Refresh with a MOBILITY-TICKET: the client goes on from another address (RFC 8016 §3.2.2). */

import { isSamePath } from '../client-path.ts'
import { endRelayed } from '../ending.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import { isTunnelled } from '../peer-policy.ts'
import type { ServerState, TurnRequest } from '../request.ts'
import { grantedLifetime, relayedMeant } from './refresh.ts'

/** If the ticket is for an allocation of another engine: asks for it, or says what came of that. */
export function fetchTicket(
  request: TurnRequest,
  ticket: Uint8Array,
  { mobile, transfers }: ServerState,
): Outcome | undefined {
  const { fetched, credential } = request
  if (typeof fetched === 'number') return reject(fetched)
  const found = mobile?.find(ticket)
  if (transfers === undefined || fetched !== undefined || found === undefined) return undefined
  const { allocation, engine, handle, generation } = found
  if (allocation !== undefined || engine === transfers.engine) return undefined
  const { kind, username } = credential
  return transfers.fetch(
    engine,
    { kind: 'allocation', handle, generation, owner: { kind, username } },
    request,
  )
}

export function handleResume(request: TurnRequest, ticket: Uint8Array, state: ServerState): Outcome {
  const { allocations, mobile } = state
  const { socket, client, credential, message, now } = request
  // 1. Not on this server.
  if (mobile === undefined) return reject(405)
  // 2. The ticket names the allocation; the five-tuple does not.
  const found = mobile.find(ticket)
  if (found === undefined) return reject(400)
  const { allocation, generation } = found
  const mobility = allocation?.mobility
  if (allocation === undefined || mobility === undefined) return reject(437)
  // 3. It is good for its owner only.
  if (!credential.isSameOwner(allocation.credential)) return reject(441)
  const meant = relayedMeant(message, allocation)
  if (meant.length === 0) return reject(443)
  // 4. Only the newest ticket moves, and only away from where it was given.
  const path = { socket, client, transport: state.transports.get(socket) ?? 'udp' } as const
  const isRepeated = mobility.isRepeated(generation, path, now)
  if (!isRepeated) {
    if (generation !== mobility.generation) return reject(400)
    if (isSamePath(mobility.pending ?? allocation, socket, client)) return reject(400)
    // 5. The new five-tuple has to be free, and not a tunnel's end (RFC 8656 §21.4).
    const other = allocations.findByClient(socket, client)
    if (other !== undefined && other !== allocation) return reject(437)
    if (isTunnelled(client)) return reject(403)
  }
  allocation.credential = credential
  // 6. Who may refresh it from there may delete it from there.
  if (message.get('LIFETIME') === 0) {
    endRelayed(state, allocation, meant, 'released')
    return succeed(['LIFETIME', 0])
  }
  const lifetime = grantedLifetime(request, state.limits)
  for (const relayed of meant) allocations.refresh(relayed, lifetime, now)
  if (!isRepeated) mobile.begin(allocation, mobility, path, now)
  return succeed(['LIFETIME', lifetime], ['MOBILITY-TICKET', mobility.ticket])
}

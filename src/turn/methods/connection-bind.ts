/** ConnectionBind: RFC 6062 §5.4. It comes by a connection of its own, which carries nothing but data from then on. */

import type { Message } from '../../stun/message.ts'
import type { AuthenticatedClient } from '../credential.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { ServerState, TurnRequest } from '../request.ts'
import { isStreamSocket } from '../socket-numbers.ts'

/**
 * The client that waits for the connection which the message names, as its control connection is known: it shows the
 * same credentials (§4.3), and may show the same nonce.
 * Interop: turnutils_uclient keeps one nonce for all of its connections, and does not recover from a second one.
 */
export function controlOf(message: Message, { connections }: ServerState): AuthenticatedClient | undefined {
  const id = message.get('CONNECTION-ID')
  const allocation = id === undefined ? undefined : connections.find(id)?.relayed.allocation
  if (allocation === undefined) return undefined
  // A copy: a nonce of the new connection is not one of the control connection.
  return { credential: allocation.credential, verifiedNonce: allocation.verifiedNonce }
}

export function handleConnectionBind(request: TurnRequest, state: ServerState): Outcome {
  const { message, socket, client, credential } = request
  const { connections, allocations, answers, outputs } = state
  // 1. By TCP or TLS, and not by a connection that is in use.
  if (!isStreamSocket(socket) || allocations.findByClient(socket, client) !== undefined) return reject(400)
  // 2. For a peer data connection that waits for it.
  const id = message.get('CONNECTION-ID')
  const connection = id === undefined ? undefined : connections.find(id)
  if (connection?.state.name !== 'waiting') return reject(400)
  // 3. By who has the allocation: a number that was guessed is not enough.
  if (!credential.isSameOwner(connection.relayed.allocation.credential)) return reject(441)
  // 4. The answer is the last message on it.
  connections.bind(connection, socket)
  answers.answer(request, succeed())
  outputs.push({ type: 'bind-peer', connection: connection.id, stream: socket })
  return { type: 'silence' }
}

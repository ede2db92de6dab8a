/** Where a client is reached (RFC 8656 §6): its half of the five-tuple, with the socket that our half is behind. */

import type { SocketId } from '../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { ClientTransport } from './socket-numbers.ts'

export interface ClientPath {
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly transport: ClientTransport
}

export function isSamePath(path: ClientPath, socket: SocketId, client: AddressWords): boolean {
  return path.socket === socket && path.client.equals(client)
}

/**
 * How the numbers of sockets are shared out between an engine and its driver: listening sockets from 0, relay sockets
 * in the middle, stream connections of clients (TCP, TLS) above. Small and used again, so that drivers may index by them.
 */

import { type SocketId, socketId } from '../core/sans-io.ts'

export const firstRelaySocket = 0x10000

/** All of them fit the 32-bit scopes of an AddressTable. */
export const firstStreamSocket = 0x4000_0000

/** Of an allocation whose client is away (RFC 8016): no socket has this number. */
export const noSocket: SocketId = socketId(-1)

export function isRelaySocket(socket: SocketId): boolean {
  return socket >= firstRelaySocket && socket < firstStreamSocket
}

/** Whether the socket is a client's connection: its bytes arrive in order, and its source address is proved. */
export function isStreamSocket(socket: SocketId): boolean {
  return socket >= firstStreamSocket
}

/** What a client comes in by. */
export type ClientTransport = 'udp' | 'tcp' | 'tls'

/** What is relayed for it. */
export type RelayTransport = 'udp' | 'tcp'

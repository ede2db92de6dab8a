/** What a TurnClient is made with, and the times it keeps. */

import type { TransportAddress } from '../../core/transport-address.ts'
import type { AddressFamily } from '../../stun/codecs.ts'
import type { TransactionTiming } from '../../stun/transaction.ts'
import type { ClientTransport } from '../socket-numbers.ts'

export interface TurnServerAddress {
  readonly address: TransportAddress
  /** The name that the certificate is for; undefined when there is none. */
  readonly name: string | undefined
}

export interface TurnClientOptions {
  /** How the server is reached. What it relays is UDP in any case. */
  readonly transport: ClientTransport
  readonly server: TurnServerAddress
  /** undefined for a server that asks for none. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined
  /** The family of the relayed transport address; `both` asks for one of each. The server's choice unless given. */
  readonly family?: AddressFamily | 'both' | undefined
  /** Seconds to ask for; the server's default unless given. */
  readonly lifetime?: number | undefined
  /** Asks for an even port, and that the next one is kept for a second allocation (RFC 8656 §18.7). */
  readonly evenPort?: { readonly reserveNext: boolean } | undefined
  /** Asks for the port that another allocation has had kept. */
  readonly reservationToken?: Uint8Array | undefined
  /** Asks for a ticket, with which `move` takes the allocation to another address of ours (RFC 8016). */
  readonly mobility?: boolean | undefined
  readonly timing?: Partial<TransactionTiming> | undefined
  /** An allocation that is not there by then has failed, counted from `allocate`. No such limit unless given. */
  readonly allocateDeadlineMs?: number | undefined
  /** How long `close` waits for the server to confirm. */
  readonly closeDeadlineMs?: number | undefined
  /** How long nothing may be sent before the NAT on the way is kept open with a message; 0: for ever. */
  readonly keepaliveMs?: number | undefined
}

export const clientDefaults = {
  closeDeadlineMs: 2000,
  keepaliveMs: 25_000,
} as const

export const clientTimes = {
  /** RFC 8656 §9. */
  permissionLifetimeMs: 300_000,
  /** A refresh that is lost seven times is given up before the permission expires. */
  permissionRefreshMs: 250_000,
  /** Permissions that are due so soon after one that is due are refreshed along with it. */
  permissionBatchMs: 30_000,
  /** RFC 8656 §12. */
  channelLifetimeMs: 600_000,
  /** Before the permission of the same peer, which it refreshes as well. */
  channelRefreshMs: 240_000,
  /** RFC 8656 §12: how long a channel number and a peer wait for others after the binding has expired. */
  channelCooldownMs: 300_000,
  /** RFC 8489 §10: a server is not visited twice by redirection within this time. */
  redirectMemoryMs: 300_000,
  /** An allocation that has lived so long does not count as one of a row of failures. */
  steadyAfterMs: 60_000,
} as const

export const clientLimits = {
  /** Limit: addresses in one CreatePermission; 16 of IPv6 make 384 bytes. */
  permissionsPerRequest: 16,
  /** RFC 8656 §7.4: client transport addresses tried while the server says that they are in use. */
  portAttempts: 3,
  /** Limit: redirections followed for one allocation. */
  redirects: 5,
  /** Limit: allocations lost in a row, each soon after it was made, before the client gives up. */
  reallocations: 3,
  /** Limit: the payload of one UDP datagram over IPv4. */
  datagramBytes: 65_507,
} as const

/** What a TurnServer is made with, and the limits it keeps. */

import type { EpochSeconds } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { TokenKey } from './access-token.ts'
import type { AlternateServer } from './alternate-server.ts'
import type { AlternateAddresses } from './behavior-discovery.ts'
import type { CredentialStore } from './credentials.ts'
import type { PartnerOptions } from './partner/options.ts'
import type { PeerPolicy } from './peer-policy.ts'
import type { PortRange, RelayAddress } from './relay-address.ts'
import type { SharedState } from './shared-state.ts'

/** Numbers that the operator chooses. Times are in seconds; 0 is no limit, but for times. */
export interface ServerLimits {
  /** The longest lifetime of an allocation. */
  readonly maxLifetime: number
  /** What is granted at least, and to who asks for nothing (RFC 8656 §3.2). */
  readonly defaultLifetime: number
  /** RFC 8656 §9: five minutes, which clients count on. */
  readonly permissionLifetime: number
  /** RFC 8656 §12: ten minutes, likewise. */
  readonly channelLifetime: number
  readonly nonceLifetime: number
  /** Permissions of one allocation. */
  readonly maxPermissions: number
  /** Channels of one allocation. */
  readonly maxChannels: number
  /** Allocations and reservations that one user has at a time. */
  readonly userQuota: number
  /** And all users together. */
  readonly totalQuota: number
  /** Bytes of application data a second, in each direction: of one allocation, of one user, of all. */
  readonly maxBytesPerSecond: number
  readonly userMaxBytesPerSecond: number
  readonly totalMaxBytesPerSecond: number
  /** Unauthenticated answers a second to one /32 or /64. */
  readonly unauthenticatedRate: number
}

export const defaultLimits: ServerLimits = {
  maxLifetime: 3600,
  defaultLifetime: 600,
  permissionLifetime: 300,
  channelLifetime: 600,
  nonceLifetime: 600,
  /** Limit: coturn 1,024, eturnal 10. A mesh call of 50 needs 150. */
  maxPermissions: 256,
  maxChannels: 256,
  userQuota: 0,
  totalQuota: 0,
  maxBytesPerSecond: 0,
  userMaxBytesPerSecond: 0,
  totalMaxBytesPerSecond: 0,
  unauthenticatedRate: 0,
}

/** The limits alone, out of options that have them among others, defaults filled in. */
export function limitsOf(options: Partial<ServerLimits>): ServerLimits {
  const limits: { -readonly [Name in keyof ServerLimits]: number } = { ...defaultLimits }
  for (const name of Object.keys(limits) as (keyof ServerLimits)[]) {
    limits[name] = options[name] ?? limits[name]
  }
  return limits
}

export interface TurnServerOptions extends Partial<ServerLimits> {
  /** At most 127 characters; short ones keep the unauthenticated answers small. */
  readonly realm: string
  /** undefined: no authentication, an open relay, unless there are `tokenKeys`. */
  readonly credentials: CredentialStore | undefined
  /** Keys that access tokens are sealed with (RFC 7635). Given, clients are told of third-party authorization. */
  readonly tokenKeys?: readonly TokenKey[]
  /** What tokens have to be sealed for; the realm unless given. */
  readonly serverName?: string
  /** Wall-clock time, asked when a credential may have run out. Without it all that can run out has. */
  readonly epochSeconds?: () => EpochSeconds
  /** 32 random bytes that nonces are made with: the same for all engines that one client may reach. Drawn unless given. */
  readonly nonceKey?: Uint8Array
  readonly relays: readonly RelayAddress[]
  readonly relayPorts: PortRange
  readonly peerPolicy: PeerPolicy
  /** Every concrete address and port that this server listens on; wildcards are expanded. */
  readonly ownAddresses: readonly TransportAddress[]
  /** Whether the driver can send with the DF bit set; unless it can, DONT-FRAGMENT is an unknown attribute. */
  readonly canSetDontFragment?: boolean
  /** Where several engines serve one set of clients: limits that they keep together. Quotas are asked for then. */
  readonly shared?: SharedState | undefined
  /** Which of these engines this is: 1 to 127, no two the same; 1 unless given. */
  readonly engine?: number
  /** Where clients are sent for new allocations, in turns; none unless given. */
  readonly alternates?: readonly AlternateServer[]
  /** Where NAT behavior discovery (RFC 5780) is answered; nowhere unless given. */
  readonly alternateAddresses?: readonly AlternateAddresses[]
  /** Where the second address is another machine's; links by their place here. */
  readonly partners?: readonly PartnerOptions[]
  /** Let clients take allocations along to another address (RFC 8016). Nothing without authentication. */
  readonly mobility?: boolean
  /** Accept channel numbers up to 0x7fff, as RFC 5766 clients bind them. */
  readonly allowLegacyChannels?: boolean
  /** Relay TCP for clients that come by TCP or TLS (RFC 6062). */
  readonly tcpRelay?: boolean
}

/** What nobody chooses. */
export const limits = {
  /** RFC 8656 §7.2: how long a reserved port is held at least, and here at most. */
  reservationSeconds: 30,
  /** RFC 6062 §5.2: how long a peer is waited for at least, and here at most. */
  connectSeconds: 30,
  /** RFC 6062 §5.2, §5.3: how long a connection with a peer waits for the client to come for it. */
  connectionBindSeconds: 30,
  /** Limit: connections with peers of one allocation; each takes two descriptors and two buffers. */
  connectionsPerAllocation: 64,
  /** Limit: ports tried for one Allocate while the system says that they are in use. */
  bindAttempts: 32,
  /** Limit: the payload of one UDP datagram over IPv4. */
  datagramBytes: 65_507,
  /** Limit: the longest STUN message, as its 16-bit length can say it. */
  messageBytes: 20 + 0xfffc,
} as const

/** What a TurnServer is made with, and the limits it keeps. */

import type { EpochSeconds } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { TokenKey } from './access-token.ts'
import type { CredentialStore } from './credentials.ts'
import type { PeerPolicy } from './peer-policy.ts'
import type { PortRange, RelayAddress } from './relay-address.ts'

export interface TurnServerOptions {
  /** At most 127 characters; short ones keep the unauthenticated answers small. */
  readonly realm: string
  /** undefined: no authentication, an open relay, unless there are `tokenKeys`. */
  readonly credentials: CredentialStore | undefined
  /** Keys that access tokens are sealed with (RFC 7635). Given, clients are told of third-party authorization. */
  readonly tokenKeys?: readonly TokenKey[]
  /** What tokens have to be sealed for; the realm unless given. */
  readonly serverName?: string
  /** Wall-clock time, asked when a credential may have run out. Needed with credentials or tokens that do. */
  readonly epochSeconds?: () => EpochSeconds
  readonly relays: readonly RelayAddress[]
  readonly relayPorts: PortRange
  readonly peerPolicy: PeerPolicy
  /** Every concrete address and port that this server listens on; wildcards are expanded. */
  readonly ownAddresses: readonly TransportAddress[]
  /** Whether the driver can send with the DF bit set; unless it can, DONT-FRAGMENT is an unknown attribute. */
  readonly canSetDontFragment?: boolean
  /** Accept channel numbers up to 0x7fff, as RFC 5766 clients bind them. */
  readonly allowLegacyChannels?: boolean
  /** Seconds. The longest lifetime that is granted; 3600 unless given. */
  readonly maxLifetime?: number
  /** Seconds; 600 unless given. */
  readonly nonceLifetime?: number
  /** Unauthenticated answers per second and source prefix; 0, the default here, is no limit. */
  readonly unauthenticatedRate?: number
  /** Allocations that one user may have at a time; 0, the default, is no limit. */
  readonly userQuota?: number
}

export const defaults = {
  maxLifetime: 3600,
  /** RFC 8656 §3.2: the default lifetime of an allocation, in seconds. */
  lifetime: 600,
  /** RFC 8656 §9. */
  permissionLifetime: 300,
  /** RFC 8656 §12. */
  channelLifetime: 600,
  nonceLifetime: 600,
} as const

export const limits = {
  /** Limit: permissions of one allocation (coturn 1,024, eturnal 10). A mesh call of 50 needs 150. */
  permissionsPerAllocation: 256,
  /** Limit: channels of one allocation. */
  channelsPerAllocation: 256,
  /** RFC 8656 §7.2: how long a reserved port is held at least, and here at most. */
  reservationSeconds: 30,
  /** Limit: ports tried for one Allocate while the system says that they are in use. */
  bindAttempts: 32,
  /** Limit: the payload of one UDP datagram over IPv4. */
  datagramBytes: 65_507,
  /** Limit: the longest STUN message, as its 16-bit length can say it. */
  messageBytes: 20 + 0xfffc,
} as const

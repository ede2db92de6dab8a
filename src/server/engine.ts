/** The engine that a configuration asks for. */

import type { Clock } from '../core/host.ts'
import type { Random } from '../core/random.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AlternateAddresses } from '../turn/behavior-discovery.ts'
import { limitsOf } from '../turn/options.ts'
import type { PartnerOptions } from '../turn/partner/options.ts'
import { PeerPolicy } from '../turn/peer-policy.ts'
import type { RelayAddress } from '../turn/relay-address.ts'
import { TurnServer } from '../turn/server.ts'
import type { SharedState } from '../turn/shared-state.ts'
import type { ServeConfig } from './config.ts'
import { credentialsOf } from './credentials-config.ts'

/** What is found out once, and is the same for every shard. */
export interface Surroundings {
  /** Every concrete address and port that the server listens on. */
  readonly ownAddresses: readonly TransportAddress[]
  readonly relays: readonly RelayAddress[]
  readonly alternates: readonly AlternateAddresses[]
  readonly partners: readonly PartnerOptions[]
  /** 32 random bytes, so that any shard accepts any shard's nonces. */
  readonly nonceKey: Uint8Array
  /** Limits that all shards keep together; undefined where there is one shard. */
  readonly shared: SharedState | undefined
}

export interface EngineHost {
  /** Which of the server's engines it is. */
  readonly engine: number
  readonly clock: Clock
  readonly random: Random
  /** Whether its UDP driver can set the DF bit. */
  readonly canSetDontFragment: boolean
}

export function createEngine(config: ServeConfig, around: Surroundings, host: EngineHost): TurnServer {
  return new TurnServer(
    {
      realm: config.realm,
      credentials: credentialsOf(config),
      tokenKeys: config.tokenKeys,
      serverName: config.serverName ?? config.realm,
      epochSeconds: () => host.clock.epochSeconds(),
      nonceKey: around.nonceKey,
      relays: around.relays,
      relayPorts: config.relayPorts,
      peerPolicy: new PeerPolicy({ allow: config.allowPeers, deny: config.denyPeers }),
      ownAddresses: around.ownAddresses,
      canSetDontFragment: host.canSetDontFragment,
      allowLegacyChannels: config.allowLegacyChannels,
      alternateAddresses: around.alternates,
      partners: around.partners,
      mobility: config.mobility,
      tcpRelay: config.tcpRelay,
      alternates: config.alternateServers,
      shared: around.shared,
      engine: host.engine,
      ...limitsOf(config),
    },
    host.random,
  )
}

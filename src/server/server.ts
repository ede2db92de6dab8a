/** A running TURN server: configuration in, sockets open, one log line for each allocation's start and end. */

import { TurnpikeError } from '../core/errors.ts'
import type { Host, TlsCertificate, UdpSocket } from '../core/host.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { HostUdpDriver } from '../net/host-udp-driver.ts'
import type { AllocationRecord } from '../turn/allocation.ts'
import type { ServerCounters } from '../turn/counters.ts'
import { limitsOf } from '../turn/options.ts'
import { PeerPolicy } from '../turn/peer-policy.ts'
import type { RelayAddress } from '../turn/relay-address.ts'
import { TurnServer } from '../turn/server.ts'
import { CertificateWatch, describe, readCertificates } from './certificates.ts'
import {
  checkAlternates,
  checkConfig,
  concreteAddresses,
  relayAddresses,
  type ServeConfig,
} from './config.ts'
import { credentialsOf } from './credentials-config.ts'
import { type OpenListener, openListeners } from './listeners.ts'
import type { Log } from './log.ts'
import { logNotice } from './log-notice.ts'
import { Shard } from './shard.ts'
import type { StreamCounters } from './stream-counters.ts'
import { Streams } from './streams.ts'
import { streamsOptionsOf } from './streams-config.ts'

export interface RunningServer {
  readonly listeners: readonly OpenListener[]
  readonly relays: readonly RelayAddress[]
  readonly counters: ServerCounters
  readonly streamCounters: StreamCounters
  /** Looks at the certificates' files now, rather than in a few seconds. */
  reloadCertificates(): void
  /** Ends every allocation and closes every socket, at once. */
  close(): void
}

/**
 * Opens everything or nothing. Rejects with a TurnpikeError that says what to do: `no-credentials`,
 * `configuration-invalid`, `relay-address-unavailable`, `listen-failed`.
 */
export async function startServer(config: ServeConfig, host: Host, log: Log): Promise<RunningServer> {
  checkConfig(config)
  const interfaces = host.interfaces()
  const relays = relayAddresses(config, interfaces)
  await Promise.all(relays.map(({ address }) => probeRelayAddress(address, host)))
  const ownAddresses = config.listen.flatMap(({ address }) => concreteAddresses(address, interfaces))
  checkAlternates(config, ownAddresses)
  const credentials = credentialsOf(config)
  const engine = new TurnServer(
    {
      realm: config.realm,
      credentials,
      tokenKeys: config.tokenKeys,
      serverName: config.serverName ?? config.realm,
      epochSeconds: () => host.clock.epochSeconds(),
      relays,
      relayPorts: config.relayPorts,
      peerPolicy: new PeerPolicy({ allow: config.allowPeers, deny: config.denyPeers }),
      ownAddresses,
      allowLegacyChannels: config.allowLegacyChannels,
      alternates: config.alternateServers,
      ...limitsOf(config),
    },
    host.random,
  )
  const shard = new Shard(
    engine,
    host.clock,
    (handlers) => new HostUdpDriver(host, handlers),
    (handlers) => new Streams(host, streamsOptionsOf(config, config.allowLegacyChannels), handlers),
    {
      allocationCreated: (allocation) => logStart(log, allocation),
      allocationEnded: (allocation, reason, now) => logEnd(log, allocation, reason, now),
      notice: (notice) => logNotice(log, notice),
      systemRefused: (what, reason) => log.debug('the system refused', { what, reason }),
      streamEnded: (transport, client, reason) =>
        log.debug('connection ended', { transport, client: `${client}`, reason }),
    },
  )
  try {
    const certificates = readCertificates(config.tlsCertificates)
    const listeners = await openListeners(config.listen, certificates, shard, log)
    if (credentials?.algorithms.includes('SHA-256') === false) {
      log.info('SHA-256 is not offered: a user is configured by an MD5 key, --user name:0xKEY')
    }
    if (config.noAuth) log.warn('no authentication: everybody who reaches this server may relay through it')
    for (const { certificate } of certificates) log.info('certificate loaded', describe(certificate))
    const apply = (fresh: readonly TlsCertificate[]) => shard.setCertificates(fresh)
    const watch = new CertificateWatch(config.tlsCertificates, certificates, apply, host.clock, log)
    return {
      listeners,
      relays,
      counters: engine.counters,
      streamCounters: shard.streamCounters,
      reloadCertificates: () => watch.check(),
      close: () => {
        watch.close()
        shard.close()
      },
    }
  } catch (error) {
    shard.close()
    throw error
  }
}

/** Whether the address can be bound at all, with a port that the system chooses. */
function probeRelayAddress(address: TransportAddress, host: Host): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: UdpSocket = host.bindUdp(
      { address },
      {
        bound: () => {
          socket.close()
          resolve()
        },
        failed: (reason) =>
          reject(
            new TurnpikeError(
              'relay-address-unavailable',
              `cannot relay from ${address.ip} (${reason}): give an address of this host with --relay-address, and the public one with --external-address`,
            ),
          ),
        datagram: () => {},
        sendFailed: () => {},
      },
    )
  })
}

function logStart(log: Log, allocation: AllocationRecord): void {
  log.info('allocation started', {
    id: allocation.id,
    transport: allocation.transport,
    client: `${allocation.client}`,
    relayed: allocation.relayedAddresses.join(' '),
    user: allocation.username,
  })
}

function logEnd(log: Log, allocation: AllocationRecord, reason: string, now: Instant): void {
  log.info('allocation ended', {
    id: allocation.id,
    transport: allocation.transport,
    client: `${allocation.client}`,
    relayed: allocation.relayedAddresses.join(' '),
    user: allocation.username,
    bytesFromClient: allocation.bytesFromClient,
    bytesToClient: allocation.bytesToClient,
    seconds: Math.round((now - allocation.createdAt) / 1000),
    reason,
  })
}

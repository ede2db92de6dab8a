/** What is said of clients that come by TCP and TLS. */

import { TurnpikeError } from '../core/errors.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { CertificateFiles } from './certificates.ts'
import type { StreamsOptions } from './streams.ts'

export interface StreamsConfig {
  /** For the `tls` listeners; the first is for clients that ask for no name. */
  readonly tlsCertificates: readonly CertificateFiles[]
  /** Seconds for a TLS handshake, and again for a connection's first message. */
  readonly handshakeTimeout: number
  /** Seconds that a connection may go without a message while it has no allocation. */
  readonly idleTimeout: number
  /** Connections open at a time from one /32 or /64; 0 is no limit. */
  readonly connectionsPerAddress: number
  /** Relay TCP for them (RFC 6062). */
  readonly tcpRelay: boolean
}

export const defaultStreamsConfig: StreamsConfig = {
  tlsCertificates: [],
  handshakeTimeout: 10,
  idleTimeout: 60,
  // Limit: many users may share an address behind a carrier's NAT; one host cannot take all descriptors.
  connectionsPerAddress: 1024,
  tcpRelay: false,
}

/** Throws `configuration-invalid` for TLS without a certificate, or a certificate without TLS. */
export function checkStreams(
  config: StreamsConfig,
  listen: readonly { readonly transport: string; readonly address: TransportAddress }[],
): void {
  const tls = listen.find(({ transport }) => transport === 'tls')
  if (tls !== undefined && config.tlsCertificates.length === 0) {
    throw new TurnpikeError(
      'configuration-invalid',
      `--listen tls://${tls.address} needs a certificate: give --tls-cert FILE and --tls-key FILE`,
    )
  }
  if (tls === undefined && config.tlsCertificates.length > 0) {
    throw new TurnpikeError(
      'configuration-invalid',
      '--tls-cert is for TLS listeners, and there is none: add --listen tls://0.0.0.0:5349',
    )
  }
}

export function streamsOptionsOf(config: StreamsConfig, allowLegacyChannels: boolean): StreamsOptions {
  return {
    allowLegacyChannels,
    handshakeTimeoutMs: config.handshakeTimeout * 1000,
    idleTimeoutMs: config.idleTimeout * 1000,
    connectionsPerAddress: config.connectionsPerAddress,
  }
}

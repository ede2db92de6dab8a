/** The flags of `turnpike serve` about clients that come by TCP and TLS. */

import type { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { CertificateFiles } from '../server/certificates.ts'
import { defaultStreamsConfig, type StreamsConfig } from '../server/streams-config.ts'
import { integerBetween, repeatable } from './parse-options.ts'

export interface StreamFlags extends Omit<StreamsConfig, 'tlsCertificates' | 'tcpRelay'> {
  readonly tcpRelay?: boolean
  readonly tlsCert?: readonly string[]
  readonly tlsKey?: readonly string[]
}

export function addStreamFlags(command: Command): Command {
  const { handshakeTimeout, idleTimeout, connectionsPerAddress } = defaultStreamsConfig
  return command
    .option(
      '--tls-cert <file>',
      'a certificate (PEM) for the tls listeners, read again when it changes; repeatable',
      repeatable((file) => file),
    )
    .option(
      '--tls-key <file>',
      'the key (PEM) of the certificate named in the same place; repeatable',
      repeatable((file) => file),
    )
    .option(
      '--handshake-timeout <seconds>',
      'how long a TLS handshake may take, and again the first message',
      integerBetween(1, 300, 'seconds'),
      handshakeTimeout,
    )
    .option(
      '--idle-timeout <seconds>',
      'how long a connection without an allocation may be silent',
      integerBetween(1, 86_400, 'seconds'),
      idleTimeout,
    )
    .option(
      '--connections-per-address <n>',
      'TCP and TLS connections open at a time from one /32 or /64; 0 is no limit',
      integerBetween(0, 1_000_000, 'connections'),
      connectionsPerAddress,
    )
    .option('--tcp-relay', 'relay TCP for clients that come by TCP or TLS (RFC 6062)')
}

export function streamsConfigOf(flags: StreamFlags): StreamsConfig {
  return {
    tlsCertificates: certificateFiles(flags.tlsCert ?? [], flags.tlsKey ?? []),
    handshakeTimeout: flags.handshakeTimeout,
    idleTimeout: flags.idleTimeout,
    connectionsPerAddress: flags.connectionsPerAddress,
    tcpRelay: flags.tcpRelay === true,
  }
}

/** The first certificate with the first key, and so on. */
function certificateFiles(certificates: readonly string[], keys: readonly string[]): CertificateFiles[] {
  if (certificates.length !== keys.length) {
    throw new TurnpikeError(
      'configuration-invalid',
      `${count('--tls-cert', certificates)} and ${count('--tls-key', keys)}: each certificate needs its key`,
    )
  }
  return certificates.map((certificateFile, i) => ({ certificateFile, keyFile: keys[i]! }))
}

function count(flag: string, files: readonly string[]): string {
  return `${flag} was given ${files.length} time${files.length === 1 ? '' : 's'}`
}

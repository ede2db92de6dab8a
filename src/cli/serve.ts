/** `turnpike serve`: flags to a configuration, a running server, and its end by a signal. */

import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { NodeHost } from '../net/node-host.ts'
import {
  defaultConfig,
  type ExternalAddress,
  type ListenAddress,
  type ServeConfig,
} from '../server/config.ts'
import { createLog, type LogFormat, type LogLevel, logFormats, logLevels } from '../server/log.ts'
import { type RunningServer, startServer } from '../server/server.ts'
import type { StaticUser } from '../turn/credentials.ts'
import type { AddressRange } from '../turn/peer-policy.ts'
import type { PortRange } from '../turn/relay-address.ts'
import { devConfig, devScreen, newDevUser } from './dev.ts'
import {
  integerBetween,
  parseExternalAddress,
  parseListen,
  parsePeerRange,
  parsePortRange,
  parseRealm,
  parseRelayAddress,
  parseUser,
  parseUserFile,
  repeatable,
} from './parse-options.ts'

interface ServeFlags {
  readonly listen?: readonly ListenAddress[]
  readonly realm: string
  readonly user?: readonly StaticUser[]
  readonly userFile?: string
  /** commander's form of `--no-auth`. */
  readonly auth: boolean
  readonly relayAddress?: readonly TransportAddress[]
  readonly externalAddress?: readonly ExternalAddress[]
  readonly relayPorts: PortRange
  readonly allowPeer?: readonly AddressRange[]
  readonly denyPeer?: readonly AddressRange[]
  readonly allowLegacyChannels?: boolean
  readonly maxLifetime: number
  readonly nonceLifetime: number
  readonly unauthenticatedRate: number
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly dev?: boolean
}

export function serveCommand(): Command {
  const { realm, relayPorts, maxLifetime, nonceLifetime, unauthenticatedRate } = defaultConfig
  return new Command('serve')
    .description('Run a STUN and TURN server.')
    .option(
      '--listen <uri>',
      'where clients come in, such as udp://192.0.2.1:3478; repeatable (default: udp://0.0.0.0:3478 and udp://[::]:3478)',
      repeatable(parseListen),
    )
    .option('--realm <realm>', 'the name that users belong to', parseRealm, realm)
    .option(
      '--user <name:password>',
      'a user; name:0xKEY takes the MD5 key instead; repeatable',
      repeatable(parseUser),
    )
    .option('--user-file <file>', 'users as lines of name:password, out of sight of ps')
    .option('--no-auth', 'relay for everybody, without users')
    .option(
      '--relay-address <ip>',
      'an address of this host to relay from; repeatable (default: chosen from the listening addresses)',
      repeatable(parseRelayAddress),
    )
    .option(
      '--external-address <public[/private]>',
      'what clients are told of a relay address behind a 1:1 NAT; repeatable',
      repeatable(parseExternalAddress),
    )
    .addOption(
      new Option('--relay-ports <min-max>', 'the ports to relay from')
        .argParser(parsePortRange)
        .default(relayPorts, `${relayPorts.min}-${relayPorts.max}`),
    )
    .option(
      '--allow-peer <range>',
      'let clients reach these peers (CIDR or A-B), whatever else refuses them; repeatable',
      repeatable(parsePeerRange),
    )
    .option(
      '--deny-peer <range>',
      'refuse these peers; all that are not globally reachable are refused already; repeatable',
      repeatable(parsePeerRange),
    )
    .option('--allow-legacy-channels', 'accept channel numbers up to 0x7fff (RFC 5766 clients)')
    .option(
      '--max-lifetime <seconds>',
      'the longest lifetime of an allocation',
      integerBetween(60, 86_400, 'seconds'),
      maxLifetime,
    )
    .option(
      '--nonce-lifetime <seconds>',
      'how long a nonce is good for',
      integerBetween(10, 3600, 'seconds'),
      nonceLifetime,
    )
    .option(
      '--unauthenticated-rate <n>',
      'answers a second to one /32 or /64 before it has shown credentials; 0 is no limit',
      integerBetween(0, 1_000_000, 'answers a second'),
      unauthenticatedRate,
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged, on stderr').choices([...logLevels]).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'for people or for programs')
        .choices([...logFormats])
        .default('pretty'),
    )
    .option('--dev', 'a server to try things with: loopback only, a random user,\nand what to do next')
    .action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const host = new NodeHost()
  const log = createLog({
    level: flags.logLevel,
    format: flags.logFormat,
    stream: process.stderr,
    date: () => new Date(),
  })
  const users = [...(flags.user ?? []), ...(flags.userFile === undefined ? [] : readUsers(flags.userFile))]
  const given = configOf(flags, users)
  const devUser = flags.dev === true ? newDevUser(flags.user, host.random) : undefined
  const server = await startServer(devUser === undefined ? given : devConfig(given, devUser), host, log)
  process.stdout.on('error', () => {})
  if (devUser !== undefined) process.stderr.write(devScreen(server.listeners[0]!, devUser))
  process.stdout.write(`${JSON.stringify(listeningEvent(server, flags.relayPorts))}\n`)
  await closedBySignal(server)
}

function configOf(flags: ServeFlags, users: readonly StaticUser[]): ServeConfig {
  return {
    listen: flags.listen ?? defaultConfig.listen,
    realm: flags.realm,
    users,
    noAuth: !flags.auth,
    relayAddresses: flags.relayAddress ?? [],
    externalAddresses: flags.externalAddress ?? [],
    relayPorts: flags.relayPorts,
    allowPeers: flags.allowPeer ?? [],
    denyPeers: flags.denyPeer ?? [],
    allowLegacyChannels: flags.allowLegacyChannels === true,
    maxLifetime: flags.maxLifetime,
    nonceLifetime: flags.nonceLifetime,
    unauthenticatedRate: flags.unauthenticatedRate,
  }
}

function readUsers(file: string): StaticUser[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new TurnpikeError(
      'configuration-invalid',
      `--user-file ${JSON.stringify(file)} cannot be read (${code})`,
      { cause },
    )
  }
  return parseUserFile(text, JSON.stringify(file))
}

/** The one line on stdout, for the program that has started us. */
function listeningEvent(server: RunningServer, ports: PortRange): object {
  return {
    event: 'listening',
    listeners: server.listeners.map(({ ip, port }) => ({ transport: 'udp', address: ip, port })),
    relay: {
      addresses: server.relays.map(({ address, external }) => ({
        address: address.ip,
        external: external.ip,
      })),
      ports: `${ports.min}-${ports.max}`,
    },
  }
}

/** Resolves when SIGTERM or SIGINT has come and everything is closed. A second signal ends the process at once. */
function closedBySignal(server: RunningServer): Promise<void> {
  return new Promise((resolve) => {
    const close = () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, close)
      server.close()
      resolve()
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, close)
  })
}

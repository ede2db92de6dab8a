/** `turnpike serve`: flags to a configuration, a running server, and its end by a signal. */

import { Command, Option } from 'commander'
import type { Host } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import {
  defaultConfig,
  type ExternalAddress,
  type ListenAddress,
  type ServeConfig,
} from '../server/config.ts'
import { createLog, type Log, type LogFormat, type LogLevel, logFormats, logLevels } from '../server/log.ts'
import { warnOfLongChallenge } from '../server/long-challenge.ts'
import { warnOfOpenFiles } from '../server/open-files.ts'
import { warnOfRoot } from '../server/root.ts'
import type { RunningServer } from '../server/server.ts'
import type { Site } from '../signaling/site.ts'
import type { AlternateServer } from '../turn/alternate-server.ts'
import type { AddressRange } from '../turn/peer-policy.ts'
import type { PortRange } from '../turn/relay-address.ts'
import { type AlternateFlags, addAlternateFlags, alternateConfigOf } from './alternate-flags.ts'
import { addCredentialFlags, type CredentialFlags, credentialsConfigOf } from './credential-flags.ts'
import { devConfig, devScreen, devSignaling, newDevUser } from './dev.ts'
import { addIoFlags, type IoFlags, ioConfigOf } from './io-flags.ts'
import { addLimitFlags, type LimitFlags, limitsConfigOf } from './limit-flags.ts'
import {
  parseAlternateServer,
  parseExternalAddress,
  parseListen,
  parsePeerRange,
  parsePortRange,
  parseRelayAddress,
  repeatable,
} from './parse-options.ts'
import { addSignalingFlags, openSignaling, type SignalingFlags } from './signaling-flags.ts'
import { addStreamFlags, type StreamFlags, streamsConfigOf } from './stream-flags.ts'

export interface ServeFlags
  extends CredentialFlags,
    LimitFlags,
    StreamFlags,
    SignalingFlags,
    IoFlags,
    AlternateFlags {
  readonly listen?: readonly ListenAddress[]
  readonly relayAddress?: readonly TransportAddress[]
  readonly externalAddress?: readonly ExternalAddress[]
  readonly relayPorts: PortRange
  readonly allowPeer?: readonly AddressRange[]
  readonly denyPeer?: readonly AddressRange[]
  readonly allowLegacyChannels?: boolean
  readonly alternateServer?: readonly AlternateServer[]
  readonly mobility?: boolean
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly dev?: boolean
}

export function serveCommand(): Command {
  return addServeFlags('serve')
    .option(
      '--dev',
      'a server to try things with: loopback only, unless --listen says otherwise, a random user,\nand what to do next',
    )
    .action(serve)
}

/** A command with the flags that say what a server is. */
export function addServeFlags(name: string): Command {
  const { relayPorts } = defaultConfig
  const command = new Command(name).option(
    '--listen <uri>',
    'where clients come in, such as udp://192.0.2.1:3478, tcp://…:3478 or tls://…:5349; repeatable (default: udp://0.0.0.0:3478 and udp://[::]:3478)',
    repeatable(parseListen),
  )
  addCredentialFlags(command)
  command
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
    .option(
      '--alternate-server <uri>',
      'send clients there for new allocations (300), in turns: 192.0.2.9:3478, or tls://192.0.2.9:5349/NAME; repeatable',
      repeatable(parseAlternateServer),
    )
    .option('--allow-legacy-channels', 'accept channel numbers up to 0x7fff (RFC 5766 clients)')
    .option('--mobility', 'let clients take an allocation along to another address (RFC 8016)')
  addAlternateFlags(command)
  addStreamFlags(command)
  addLimitFlags(command)
  addSignalingFlags(command)
  addIoFlags(command)
  return command
    .addOption(
      new Option('--log-level <level>', 'what is logged, on stderr').choices([...logLevels]).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'for people or for programs')
        .choices([...logFormats])
        .default('pretty'),
    )
}

async function serve(flags: ServeFlags): Promise<void> {
  const [{ NodeHost }, { startServer }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../server/server.ts'),
  ])
  const host = new NodeHost()
  const log = createLog({
    level: flags.logLevel,
    format: flags.logFormat,
    stream: process.stderr,
    date: () => new Date(),
  })
  const given = configOf(flags, log)
  const devUser = flags.dev === true ? newDevUser(flags.user, host.random) : undefined
  const config = devUser === undefined ? given : devConfig(given, devUser, host.random)
  const server = await startServer(config, host, log)
  if (devUser === undefined) warnOfRoot(process.getuid?.(), log)
  warnOfOpenFiles(config, server.relays.length, log)
  warnOfLongChallenge(config, host.random, log)
  const site = await openSite(flags, config, server, host, log)
  process.stdout.on('error', () => {})
  // Whoever reads the line may send the signal at once.
  const closed = closedBySignal(server)
  process.stdout.write(`${JSON.stringify(listeningEvent(server, flags.relayPorts, site))}\n`)
  const demo = devUser === undefined || site === undefined ? undefined : await startDemo(site, log)
  if (devUser !== undefined) {
    process.stderr.write(devScreen(server, devUser, site?.address))
  }
  await closed
  await demo?.close()
  await site?.close()
}

/** The test peer, loaded where it is wanted only: it brings a whole WebRTC stack. Without it the rest works all the same. */
async function startDemo(site: Site, log: Log): Promise<{ close(): Promise<void> } | undefined> {
  try {
    const { startDemoPeer } = await import('./demo-peer.ts')
    return await startDemoPeer(site.address)
  } catch (error) {
    log.warn('no test peer in the room demo', {
      reason: error instanceof Error ? error.message : String(error),
    })
    return undefined
  }
}

/** Signaling, where it is asked for; what has been opened before is closed when it fails. */
async function openSite(
  flags: ServeFlags,
  config: ServeConfig,
  server: RunningServer,
  host: Host,
  log: Log,
): Promise<Site | undefined> {
  try {
    const signaling = flags.signaling ?? (flags.dev === true ? devSignaling : undefined)
    return await openSignaling(
      { ...flags, ...(signaling === undefined ? {} : { signaling }) },
      config,
      server,
      host,
      log,
    )
  } catch (error) {
    server.close()
    throw error
  }
}

export function configOf(flags: ServeFlags, log: Log): ServeConfig {
  return {
    ...credentialsConfigOf(flags, (message) => log.warn(message)),
    ...limitsConfigOf(flags),
    ...streamsConfigOf(flags),
    ...ioConfigOf(flags),
    ...alternateConfigOf(flags),
    listen: flags.listen ?? defaultConfig.listen,
    relayAddresses: flags.relayAddress ?? [],
    externalAddresses: flags.externalAddress ?? [],
    relayPorts: flags.relayPorts,
    allowPeers: flags.allowPeer ?? [],
    denyPeers: flags.denyPeer ?? [],
    allowLegacyChannels: flags.allowLegacyChannels === true,
    alternateServers: flags.alternateServer ?? [],
    mobility: flags.mobility === true,
  }
}

/** The one line on stdout, for the program that has started us. */
function listeningEvent(server: RunningServer, ports: PortRange, site: Site | undefined): object {
  return {
    event: 'listening',
    listeners: server.listeners.map(({ transport, address: { ip, port } }) => ({
      transport,
      address: ip,
      port,
    })),
    relay: {
      addresses: server.relays.map(({ address, external }) => ({
        address: address.ip,
        external: external.ip,
      })),
      ports: `${ports.min}-${ports.max}`,
    },
    ...(site === undefined ? {} : { signaling: { address: site.address.ip, port: site.address.port } }),
  }
}

/** Resolves when SIGTERM or SIGINT has come and everything is closed. A second signal ends the process at once. */
function closedBySignal(server: RunningServer): Promise<void> {
  const reload = () => server.reload()
  return new Promise((resolve) => {
    const close = () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, close)
      process.off('SIGHUP', reload)
      server.close().then(resolve, resolve)
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, close)
    process.on('SIGHUP', reload)
  })
}

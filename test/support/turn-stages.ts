/**
 * Where the suite of TURN behaviours is played: a simulated internet in virtual time, `startServer` on this machine's
 * sockets, coturn's server. On each a client comes by UDP, TCP or TLS.
 */

import type { Host } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { TurnServerAddress } from '../../src/turn/client/options.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import type { ClientTransport } from '../../src/turn/socket-numbers.ts'
import { CertificateFolder, type TestCertificate } from './certificates.ts'
import { type Coturn, startCoturn } from './coturn-server.ts'
import { hasLoopback6 } from './programs.ts'
import { type ActorOptions, Echo, TurnActor } from './turn-actor.ts'
import { until } from './until.ts'

export type StageName = 'simulation' | 'turnpike' | 'coturn'

/** A second server beside the first: one whose nonces last a second, or one that sends everybody to the first. */
export type Variant = 'short nonces' | 'redirects'

export interface Stage {
  readonly hasIPv6: boolean
  open(transport: ClientTransport, options?: Partial<ActorOptions>): TurnActor
  echo(family?: 'IPv4' | 'IPv6'): Promise<TransportAddress>
  variant(variant: Variant, transport: ClientTransport): Promise<TurnServerAddress>
  /** Resolves when it holds; `again` is done now and then meanwhile, where packets may be lost. */
  until(holds: () => boolean, what: string, again?: () => void): Promise<void>
  /** Lets so much time pass. */
  pass(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export const stages: Readonly<Record<StageName, () => Promise<Stage>>> = {
  simulation: () => SimulatedStage.start(),
  turnpike: () => RealStage.startTurnpike(),
  coturn: () => RealStage.startCoturn(),
}

const credentials = { username: 'alice', password: 'wonder' }
const serverName = 'turn.example.org'
const transports: readonly ClientTransport[] = ['udp', 'tcp', 'tls']
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const ports: Readonly<Record<ClientTransport, number>> = { udp: 3478, tcp: 3478, tls: 5349 }

/** A server of ours for all transports, at these addresses. */
function serve(
  host: Host,
  addressOf: (transport: ClientTransport) => TransportAddress,
  certificate: TestCertificate,
  more: Partial<ServeConfig>,
): Promise<RunningServer> {
  const listen = transports.map((transport) => ({
    transport,
    address: addressOf(transport),
    isOptional: false,
  }))
  const users = [{ name: credentials.username, password: credentials.password }]
  return startServer(
    { ...defaultConfig, users, listen, tlsCertificates: [certificate], mobility: true, ...more },
    host,
    silent,
  )
}

/** What makes that variant of a server of ours. */
function configOf(
  variant: Variant,
  first: (transport: ClientTransport) => TransportAddress,
): Partial<ServeConfig> {
  if (variant === 'short nonces') return { nonceLifetime: 1 }
  return {
    alternateServers: transports.map((transport) => ({
      address: first(transport),
      transports: [transport],
      domain: transport === 'tls' ? serverName : undefined,
    })),
  }
}

class SimulatedStage implements Stage {
  readonly hasIPv6 = true
  readonly #folder = new CertificateFolder()
  readonly #certificate = this.#folder.make(serverName)
  // The certificate is a real one, valid from now on.
  readonly #internet = new Internet({
    seed: 1,
    families: ['IPv4', 'IPv6'],
    epochSeconds: Math.floor(Date.now() / 1000) + 3600,
  })
  readonly #hosts = {
    first: this.#internet.host(),
    second: this.#internet.host(),
    client: this.#internet.nat().host(),
  }
  readonly #servers: RunningServer[] = []
  readonly #variants = new Map<Variant, Promise<TurnServerAddress>>()

  static async start(): Promise<SimulatedStage> {
    const stage = new SimulatedStage()
    stage.#internet.trust(stage.#certificate.certificate)
    await stage.#start(stage.#hosts.first, {})
    return stage
  }

  open(transport: ClientTransport, options: Partial<ActorOptions> = {}): TurnActor {
    const server = { address: this.#hosts.first.address(ports[transport]), name: serverName }
    return new TurnActor(this.#hosts.client, { transport, server, credentials, ...options })
  }

  async echo(family: 'IPv4' | 'IPv6' = 'IPv4'): Promise<TransportAddress> {
    const host = this.#internet.host()
    const echo = new Echo(host, host.address(7000, family))
    await this.until(() => echo.address !== undefined, 'the peer')
    return echo.address!
  }

  async variant(variant: Variant, transport: ClientTransport): Promise<TurnServerAddress> {
    const host = variant === 'redirects' ? this.#hosts.second : this.#internet.host()
    const started =
      this.#variants.get(variant) ??
      this.#start(
        host,
        configOf(variant, (to) => this.#hosts.first.address(ports[to])),
      ).then(() => ({
        address: host.address(0),
        name: serverName,
      }))
    this.#variants.set(variant, started)
    const { address, name } = await started
    return { address: address.withPort(ports[transport]), name }
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    if (!this.#internet.run({ until: holds, for: 2_000_000 })) throw new Error(`${what} has not come`)
  }

  async pass(milliseconds: number): Promise<void> {
    this.#internet.run({ for: milliseconds })
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close()
    this.#folder.remove()
  }

  async #start(host: ReturnType<Internet['host']>, more: Partial<ServeConfig>): Promise<void> {
    const relayAddresses = [host.address(0, 'IPv4'), host.address(0, 'IPv6')]
    const at = (transport: ClientTransport) => host.address(ports[transport])
    this.#servers.push(
      await this.#internet.until(serve(host, at, this.#certificate, { relayAddresses, ...more })),
    )
  }
}

/** A server on this machine's sockets, and how to have variants of it. */
interface RealServer {
  readonly addressOf: (transport: ClientTransport) => TransportAddress
  close(): unknown
}

class RealStage implements Stage {
  readonly hasIPv6: boolean
  readonly #host = new NodeHost()
  readonly #authority: string
  readonly #first: RealServer
  readonly #start: (variant: Variant) => Promise<RealServer>
  readonly #variants = new Map<Variant, Promise<RealServer>>()
  readonly #actors: TurnActor[] = []
  readonly #echoes: Echo[] = []

  static async startTurnpike(): Promise<RealStage> {
    const folder = new CertificateFolder()
    const certificate = folder.make(serverName)
    const loopback = TransportAddress.of('127.0.0.1', 0)
    const relayAddresses = hasLoopback6('TURN over sockets')
      ? [loopback, TransportAddress.of('::1', 0)]
      : [loopback]
    const allowPeers = [parseAddressRange('127.0.0.0/8'), parseAddressRange('::1')]
    const start = async (more: Partial<ServeConfig>): Promise<RealServer> => {
      const config = { relayAddresses, allowPeers, ...more }
      const server = await serve(new NodeHost(), () => loopback, certificate, config)
      const addressOf = (transport: ClientTransport) =>
        server.listeners.find((listener) => listener.transport === transport)!.address
      return { addressOf, close: () => server.close() }
    }
    const first = await start({})
    const close = async () => {
      await first.close()
      folder.remove()
    }
    return new RealStage(certificate.certificate, { ...first, close }, relayAddresses.length > 1, (variant) =>
      start(configOf(variant, first.addressOf)),
    )
  }

  static async startCoturn(): Promise<RealStage> {
    const has6 = hasLoopback6("coturn's server")
    const realServer = (coturn: Coturn): RealServer => ({
      addressOf: (transport) =>
        TransportAddress.of('127.0.0.1', transport === 'tls' ? coturn.tlsPort : coturn.port),
      close: () => coturn.stop(),
    })
    const first = await startCoturn(['--mobility'])
    const flags: Readonly<Record<Variant, string[]>> = {
      'short nonces': ['--stale-nonce=1'],
      redirects: [
        `--alternate-server=127.0.0.1:${first.port}`,
        `--tls-alternate-server=127.0.0.1:${first.tlsPort}`,
      ],
    }
    // All of coturn's servers have certificates of their own; the client trusts those of every one that it meets.
    const stage: RealStage = new RealStage(
      first.certificate.certificate,
      realServer(first),
      has6,
      async (variant) => {
        const coturn = await startCoturn(flags[variant])
        stage.#authorities.push(coturn.certificate.certificate)
        return realServer(coturn)
      },
    )
    return stage
  }

  readonly #authorities: string[] = []

  private constructor(
    authority: string,
    first: RealServer,
    hasIPv6: boolean,
    start: (variant: Variant) => Promise<RealServer>,
  ) {
    this.#authority = authority
    this.#first = first
    this.hasIPv6 = hasIPv6
    this.#start = start
  }

  open(transport: ClientTransport, options: Partial<ActorOptions> = {}): TurnActor {
    const actor = new TurnActor(this.#host, {
      transport,
      server: { address: this.#first.addressOf(transport), name: serverName },
      credentials,
      tls: { authorities: [this.#authority, ...this.#authorities] },
      ...options,
    })
    this.#actors.push(actor)
    return actor
  }

  async echo(family: 'IPv4' | 'IPv6' = 'IPv4'): Promise<TransportAddress> {
    const echo = new Echo(this.#host, TransportAddress.of(family === 'IPv4' ? '127.0.0.1' : '::1', 0))
    this.#echoes.push(echo)
    await this.until(() => echo.address !== undefined, 'the peer')
    return echo.address!
  }

  async variant(variant: Variant, transport: ClientTransport): Promise<TurnServerAddress> {
    const started = this.#variants.get(variant) ?? this.#start(variant)
    this.#variants.set(variant, started)
    return { address: (await started).addressOf(transport), name: serverName }
  }

  async until(holds: () => boolean, what: string, again: () => void = () => {}): Promise<void> {
    const repeated = setInterval(again, 500)
    try {
      await until(holds, what)
    } finally {
      clearInterval(repeated)
    }
  }

  pass(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds))
  }

  async close(): Promise<void> {
    for (const actor of this.#actors) actor.connection.destroy()
    for (const echo of this.#echoes) echo.close()
    for (const started of this.#variants.values()) await (await started).close()
    await this.#first.close()
  }
}

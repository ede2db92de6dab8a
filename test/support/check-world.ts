/** TURN servers with a fault each, and what `checkTurn` says of them, in a simulated internet. */

import { type CheckOptions, checkTurn } from '../../src/probe/check/check.ts'
import type { CheckReport } from '../../src/probe/check/report.ts'
import { defaultConfig, type ListenAddress, type ServeConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import { type SimulatedCertificateOptions, simulatedCertificate } from '../../src/sim/certificate.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { Place } from '../../src/sim/places.ts'
import { parseServerUri } from '../../src/stun/uri.ts'

export const name = 'turn.example.net'
export const alice = { username: 'alice', password: 'wonder' }
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
/** What the internet starts at. */
export const epochSeconds = 1_800_000_000

export interface CheckWorldOptions {
  readonly uris?: readonly string[]
  readonly families?: readonly ('IPv4' | 'IPv6')[]
  readonly certificate?: Partial<SimulatedCertificateOptions>
  /** How the server is configured. */
  readonly config?: Partial<ServeConfig>
  /** What listens where; unless given, all that a good server has. */
  readonly listen?: readonly [transport: string, port: number][]
  readonly check?: Partial<CheckOptions>
  /** Where the server stands, which then names itself, and the client. */
  readonly server?: (internet: Internet) => SimHost
  readonly client?: (internet: Internet) => SimHost
  readonly prepare?: (internet: Internet, server: SimHost) => Promise<void> | void
}

export interface CheckWorld {
  readonly internet: Internet
  readonly report: CheckReport
}

const everything: readonly [string, number][] = [
  ['udp', 3478],
  ['tcp', 3478],
  ['tls', 5349],
  ['tls', 443],
]

export async function checkWorld(options: CheckWorldOptions = {}): Promise<CheckWorld> {
  const { families = ['IPv4'] } = options
  const internet = new Internet({ seed: 7, epochSeconds, families })
  const host = options.server?.(internet) ?? internet.host()
  if (options.server === undefined) internet.name(name, host)
  const listen = (options.listen ?? everything) as readonly [ListenAddress['transport'], number][]
  const config: ServeConfig = {
    ...defaultConfig,
    users: [{ name: alice.username, password: alice.password }],
    listen: listen.flatMap(([transport, port]) =>
      families.map((family) => ({ transport, address: host.address(port, family), isOptional: false })),
    ),
    ...options.config,
  }
  await serveWith(internet, host, config, simulatedCertificate({ names: [name], ...options.certificate }))
  await options.prepare?.(internet, host)
  const client = options.client?.(internet) ?? (internet.nat() as Place).host()
  const report = await internet.until(
    checkTurn(client, {
      servers: (options.uris ?? [`turn:${name}`]).map(parseServerUri),
      credentials: alice,
      tool: 'turnpike 0.0.0',
      ...options.check,
    }),
  )
  return { internet, report }
}

/** Certificates are read from files; a simulated one is put where its listener asks for it. */
async function serveWith(
  internet: Internet,
  host: SimHost,
  config: ServeConfig,
  certificate: { certificate: string; key: string },
): Promise<void> {
  const plain = config.listen.filter(({ transport }) => transport !== 'tls')
  const secure = config.listen.filter(({ transport }) => transport === 'tls')
  const withCertificate = new Proxy(host, {
    get: (target, key) => {
      const value = Reflect.get(target, key)
      if (key === 'listenTcp') {
        return (...[options, handlers]: Parameters<SimHost['listenTcp']>) =>
          target.listenTcp(
            secure.some(({ address }) => address.equals(options.address))
              ? {
                  ...options,
                  tls: { certificates: [certificate], alpn: ['stun.turn'], handshakeTimeoutMs: 5000 },
                }
              : options,
            handlers,
          )
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const tcp = secure.map((one) => ({ ...one, transport: 'tcp' as const }))
  await internet.until(startServer({ ...config, listen: [...plain, ...tcp] }, withCertificate, quiet))
}

/** A simulated internet with a turnpike server, a client behind a NAT, and peers that echo. */

import type { Host, UdpSocket } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { openTurn, type TurnConnection, type TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { NatPlace } from '../../src/sim/places.ts'
import type { TurnClientEvent } from '../../src/turn/client/outputs.ts'
import type { ClientTransport } from '../../src/turn/socket-numbers.ts'
import { CertificateFolder, type TestCertificate } from './certificates.ts'

export const serverName = 'turn.example.org'

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export interface Packet {
  readonly from: string
  readonly text: string
}

export class TurnWorld {
  readonly internet: Internet
  readonly serverHost: SimHost
  readonly nat: NatPlace
  readonly clientHost: SimHost
  readonly transport: ClientTransport
  server: RunningServer | undefined

  constructor(transport: ClientTransport, families: readonly ('IPv4' | 'IPv6')[] = ['IPv4'], seed = 1) {
    this.transport = transport
    // The certificate is a real one, valid from now on.
    this.internet = new Internet({ seed, families, epochSeconds: Math.floor(Date.now() / 1000) + 3600 })
    this.serverHost = this.internet.host()
    this.nat = this.internet.nat()
    this.clientHost = this.nat.host()
    if (transport === 'tls') this.internet.trust(certificate().certificate)
  }

  get serverAddress(): TransportAddress {
    return this.serverHost.address(portOf(this.transport))
  }

  async start(config: Partial<ServeConfig> = {}): Promise<void> {
    this.server = await this.startOn(this.serverHost, config)
  }

  /** Listens for this world's transport alone, so that nothing can go another way. */
  startOn(host: SimHost, config: Partial<ServeConfig> = {}): Promise<RunningServer> {
    const { transport } = this
    const listen = {
      transport,
      address: TransportAddress.of('0.0.0.0', portOf(transport)),
      isOptional: false,
    }
    return this.internet.until(
      startServer(
        {
          ...defaultConfig,
          users: [{ name: 'alice', password: 'wonder' }],
          listen: [listen],
          tlsCertificates: transport === 'tls' ? [certificate()] : [],
          ...config,
        },
        host,
        silent,
      ),
    )
  }

  close(): void {
    this.server?.close()
    this.server = undefined
  }

  open(options: Partial<TurnConnectionOptions> = {}): Client {
    return new Client(this, options)
  }

  /** A host that sends back what it gets, and remembers it. */
  peer(family: 'IPv4' | 'IPv6' = 'IPv4'): Peer {
    const host = this.internet.host()
    return new Peer(host, host.address(7000, family))
  }

  run(milliseconds: number): void {
    this.internet.run({ for: milliseconds })
  }

  /** Lets time pass until it holds; throws when it does not within the time. */
  until(holds: () => boolean, milliseconds = 1_000_000): void {
    if (!this.internet.run({ until: holds, for: milliseconds })) throw new Error('it did not come to that')
  }
}

/** One for all worlds of a test file: the server reads files, as it always does. */
let made: TestCertificate | undefined

function certificate(): TestCertificate {
  if (made === undefined) {
    const folder = new CertificateFolder()
    made = folder.make(serverName)
    process.once('exit', () => folder.remove())
  }
  return made
}

function portOf(transport: ClientTransport): number {
  return transport === 'tls' ? 5349 : 3478
}

export class Client {
  readonly connection: TurnConnection
  readonly events: TurnClientEvent[] = []
  readonly received: Packet[] = []
  readonly #world: TurnWorld

  constructor(world: TurnWorld, options: Partial<TurnConnectionOptions>) {
    this.#world = world
    this.connection = openTurn(
      world.clientHost,
      {
        transport: world.transport,
        server: { address: world.serverAddress, name: serverName },
        credentials: { username: 'alice', password: 'wonder' },
        ...options,
      },
      {
        event: (event) => this.events.push(event),
        data: (bytes, peer) => {
          this.received.push({
            from: `${TransportAddress.from(peer)}`,
            text: new TextDecoder().decode(bytes),
          })
        },
      },
    )
  }

  get types(): string[] {
    return this.events.map(({ type }) => type)
  }

  get relayed(): TransportAddress {
    const relayed = this.connection.allocation?.relayed[0]
    if (relayed === undefined) throw new Error('there is no allocation')
    return relayed
  }

  /** Lets time pass until the client has said so. */
  until(type: TurnClientEvent['type'], count = 1): TurnClientEvent {
    this.#world.until(() => this.types.filter((other) => other === type).length >= count)
    return this.events.findLast((event) => event.type === type)!
  }

  send(peer: TransportAddress, text: string): boolean {
    return this.connection.send(new TextEncoder().encode(text), peer)
  }
}

export class Peer {
  readonly address: TransportAddress
  readonly received: Packet[] = []
  readonly #socket: UdpSocket

  constructor(host: Host, address: TransportAddress) {
    this.address = address
    this.#socket = host.bindUdp(
      { address: this.address },
      {
        bound: () => {},
        failed: (reason) => {
          throw new Error(reason)
        },
        sendFailed: () => {},
        datagram: (bytes, source) => {
          this.received.push({
            from: `${TransportAddress.from(source)}`,
            text: new TextDecoder().decode(bytes),
          })
          this.#socket.send(bytes.slice(), TransportAddress.from(source))
        },
      },
    )
  }
}

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
import type { ClientTransport } from '../../src/turn/client/options.ts'
import type { TurnClientEvent } from '../../src/turn/client/outputs.ts'

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

  constructor(transport: ClientTransport, seed = 1) {
    this.transport = transport
    this.internet = new Internet({ seed })
    this.serverHost = this.internet.host()
    this.nat = this.internet.nat()
    this.clientHost = this.nat.host()
  }

  get serverAddress(): TransportAddress {
    return this.serverHost.address(this.transport === 'tls' ? 5349 : 3478)
  }

  async start(config: Partial<ServeConfig> = {}): Promise<void> {
    this.server = await this.startOn(this.serverHost, config)
  }

  startOn(host: SimHost, config: Partial<ServeConfig> = {}): Promise<RunningServer> {
    const users = [{ name: 'alice', password: 'wonder' }]
    return this.internet.until(startServer({ ...defaultConfig, users, ...config }, host, silent))
  }

  open(options: Partial<TurnConnectionOptions> = {}): Client {
    return new Client(this, options)
  }

  /** A host that sends back what it gets, and remembers it. */
  peer(): Peer {
    return new Peer(this.internet.host())
  }

  run(milliseconds: number): void {
    this.internet.run({ for: milliseconds })
  }

  /** Lets time pass until it holds; throws when it does not within the time. */
  until(holds: () => boolean, milliseconds = 1_000_000): void {
    if (!this.internet.run({ until: holds, for: milliseconds })) throw new Error('it did not come to that')
  }
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
        server: { address: world.serverAddress, name: 'turn.example.org' },
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

  constructor(host: Host & { address(port: number): TransportAddress }, port = 7000) {
    this.address = host.address(port)
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

/** A TURN client on any host, simulated or real, that remembers what it has said, heard and sent; and peers that echo. */

import type { Host, UdpSocket } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { openTurn, type TurnConnection, type TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { TurnClientEvent } from '../../src/turn/client/outputs.ts'

export interface ActorOptions extends TurnConnectionOptions {
  /** The port of the first UDP socket; later ones are the system's choice. */
  readonly firstPort?: number | undefined
}

export class TurnActor {
  readonly connection: TurnConnection
  readonly events: TurnClientEvent[] = []
  readonly received: { readonly from: string; readonly text: string }[] = []
  /** What it has sent to servers, message by message, before TLS. */
  readonly sent: Uint8Array[] = []

  constructor(host: Host, options: ActorOptions) {
    this.connection = openTurn(
      listenedTo(host, (bytes) => this.sent.push(bytes), options.firstPort),
      options,
      {
        event: (event) => this.events.push(event),
        data: (bytes, peer) =>
          this.received.push({
            from: `${TransportAddress.from(peer)}`,
            text: new TextDecoder().decode(bytes),
          }),
      },
    )
  }

  get relayed(): readonly TransportAddress[] {
    return this.connection.allocation?.relayed ?? []
  }

  /** The events of a kind, in order. */
  said<Type extends TurnClientEvent['type']>(type: Type): Extract<TurnClientEvent, { type: Type }>[] {
    return this.events.filter(
      (event): event is Extract<TurnClientEvent, { type: Type }> => event.type === type,
    )
  }

  /** What it has asked by that method, each request once, however often it was sent. */
  requests(method: string): Message[] {
    const byId = new Map<string, Message>()
    for (const bytes of this.sent) {
      const message = decodeMessage(bytes)
      if (typeof message === 'string' || message.method !== method) continue
      byId.set(Buffer.from(message.transactionId).toString('hex'), message)
    }
    return [...byId.values()]
  }

  /** How many messages of ChannelData it has sent. */
  get channelData(): number {
    return this.sent.filter((bytes) => bytes[0]! >= 0x40 && bytes[0]! < 0x50).length
  }

  send(peer: TransportAddress, text: string): boolean {
    return this.connection.send(new TextEncoder().encode(text), peer)
  }
}

/** Sends back what it gets. */
export class Echo {
  address: TransportAddress | undefined
  readonly #socket: UdpSocket

  constructor(host: Host, address: TransportAddress) {
    this.#socket = host.bindUdp(
      { address },
      {
        bound: (local) => {
          this.address = local
        },
        failed: (reason) => {
          throw new Error(reason)
        },
        sendFailed: () => {},
        datagram: (bytes, source) => this.#socket.send(bytes.slice(), TransportAddress.from(source)),
      },
    )
  }

  close(): void {
    this.#socket.close()
  }
}

/** The same host, but that somebody hears what is sent through it. */
function listenedTo(host: Host, sent: (bytes: Uint8Array) => void, firstPort: number | undefined): Host {
  let port = firstPort
  const overheard = <Socket extends object>(socket: Socket, method: keyof Socket): Socket =>
    delegate(socket, method, (send) => (bytes: Uint8Array, ...rest: unknown[]) => {
      sent(bytes.slice())
      return send(bytes, ...rest)
    })
  const udp = delegate(
    host,
    'bindUdp',
    (bind) => (options: Parameters<Host['bindUdp']>[0], handlers: unknown) => {
      const address = port === undefined ? options.address : options.address.withPort(port)
      port = undefined
      return overheard(bind({ ...options, address }, handlers) as UdpSocket, 'send')
    },
  )
  return delegate(
    udp,
    'connectTcp',
    (connect) =>
      (...args: unknown[]) =>
        overheard(connect(...args) as ReturnType<Host['connectTcp']>, 'write'),
  )
}

type AnyFunction = (...args: unknown[]) => unknown

/** The object with one method in place of another; all others are its own. */
function delegate<Target extends object>(
  target: Target,
  method: keyof Target,
  replace: (original: AnyFunction) => (...args: never[]) => unknown,
): Target {
  const replaced = replace((target[method] as AnyFunction).bind(target))
  return new Proxy(target, {
    get: (_, key) => {
      if (key === method) return replaced
      const value = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

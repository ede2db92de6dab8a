/** Our TURN client on this machine's sockets, and a peer that echoes, for tests against servers that are programs. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import {
  exchangeStun,
  type StunExchangeOptions,
  type StunExchangeResult,
} from '../../src/net/stun-exchange.ts'
import { openTurn, type TurnConnection, type TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import type { TurnClientEvent } from '../../src/turn/client/outputs.ts'

export const host = new NodeHost()

/** Limit: nothing on loopback takes so long, however loaded the machine is. */
const patienceMs = 60_000

export class RealClient {
  readonly connection: TurnConnection
  readonly events: TurnClientEvent[] = []
  readonly received: { readonly from: string; readonly text: string }[] = []
  readonly #watchers = new Set<() => void>()

  constructor(options: TurnConnectionOptions) {
    this.connection = openTurn(host, options, {
      event: (event) => {
        this.events.push(event)
        this.#changed()
      },
      data: (bytes, peer) => {
        this.received.push({ from: `${TransportAddress.from(peer)}`, text: new TextDecoder().decode(bytes) })
        this.#changed()
      },
    })
  }

  get relayed(): TransportAddress {
    const relayed = this.connection.allocation?.relayed[0]
    if (relayed === undefined) throw new Error('there is no allocation')
    return relayed
  }

  /** Resolves with the event when the client has said it; rejects when it has not within 20 s, or has ended. */
  async until(type: TurnClientEvent['type'], count = 1): Promise<TurnClientEvent> {
    const said = () => this.events.filter((event) => event.type === type)
    await this.when(() => said().length >= count)
    return said()[count - 1]!
  }

  when(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const isOver = ['failed', 'closed'].includes(this.events.at(-1)?.type ?? '')
        if (!holds() && !isOver) return
        end()
        if (holds()) resolve()
        else reject(new Error(`it ended otherwise: ${JSON.stringify(this.events)}`))
      }
      const end = () => {
        clearTimeout(timer)
        this.#watchers.delete(check)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`it did not come to that: ${JSON.stringify(this.events)}`))
      }, patienceMs)
      this.#watchers.add(check)
      check()
    })
  }

  send(peer: TransportAddress, text: string): boolean {
    return this.connection.send(new TextEncoder().encode(text), peer)
  }

  /** Sends until it comes back: UDP may lose it, and what is optimistic may be too early. */
  async echo(peer: TransportAddress, text: string): Promise<void> {
    const isBack = () => this.received.some((packet) => packet.text === text)
    const repeat = setInterval(() => this.send(peer, text), 200)
    this.send(peer, text)
    try {
      await this.when(isBack)
    } finally {
      clearInterval(repeat)
    }
  }

  async close(): Promise<void> {
    this.connection.close()
    await this.until('closed')
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

export interface EchoPeer {
  readonly address: TransportAddress
  close(): void
}

/** A socket on loopback that sends back what it gets. */
export function startEchoPeer(ip = '127.0.0.1'): Promise<EchoPeer> {
  return new Promise((resolve, reject) => {
    const socket = host.bindUdp(
      { address: TransportAddress.of(ip, 0) },
      {
        bound: (address) => resolve({ address, close: () => socket.close() }),
        failed: (reason) => reject(new Error(reason)),
        sendFailed: () => {},
        datagram: (bytes, source) => socket.send(bytes.slice(), TransportAddress.from(source)),
      },
    )
  })
}

export function exchange(options: StunExchangeOptions): Promise<StunExchangeResult> {
  return new Promise((resolve) => exchangeStun(host, { deadlineMs: patienceMs, ...options }, resolve))
}

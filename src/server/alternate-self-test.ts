/**
 * Whether the four addresses of behavior discovery reach each other, tried at start-up with sockets of its own: answers
 * from an address that does not work would tell clients that their NAT filters.
 */

import type { Host, UdpSocket } from '../core/host.ts'
import { later } from '../core/time.ts'
import { formatAddress, type TransportAddress } from '../core/transport-address.ts'
import { isSameBytes } from '../stun/bytes.ts'

/**
 * Limit: how often what has not arrived is sent. Rounds are counted, not time: a process that gets no processor for
 * seconds, as when it starts on a busy machine, has not looked at its sockets yet, and has lost nothing.
 */
const rounds = 20
const intervalMs = 100
const tokenBytes = 16

export type SelfTestResult =
  | { readonly type: 'passed' }
  /** An address cannot be opened. `reason` is the system's code. */
  | { readonly type: 'refused'; readonly address: TransportAddress; readonly reason: string }
  /** What was sent from one address did not arrive at another, or not from there. */
  | { readonly type: 'lost'; readonly from: TransportAddress; readonly to: TransportAddress }

/** Opens the addresses, sends from each to each, and closes them. Calls back once. */
export function testAlternates(
  addresses: readonly TransportAddress[],
  host: Host,
  done: (result: SelfTestResult) => void,
): void {
  new SelfTest(addresses, host, done)
}

class SelfTest {
  readonly #addresses: readonly TransportAddress[]
  readonly #host: Host
  readonly #done: (result: SelfTestResult) => void
  readonly #token: Uint8Array
  readonly #sockets: UdpSocket[]
  /** `from>to`, of what has not arrived yet. */
  readonly #missing = new Map<string, { from: TransportAddress; to: TransportAddress }>()
  #bound = 0
  #rounds = 0
  #cancel: () => void = () => {}

  constructor(addresses: readonly TransportAddress[], host: Host, done: (result: SelfTestResult) => void) {
    this.#addresses = addresses
    this.#host = host
    this.#done = done
    this.#token = host.random.bytes(tokenBytes)
    for (const from of addresses) {
      for (const to of addresses) if (from !== to) this.#missing.set(`${from}>${to}`, { from, to })
    }
    this.#sockets = addresses.map((address) => this.#open(address))
  }

  #open(address: TransportAddress): UdpSocket {
    return this.#host.bindUdp(
      { address },
      {
        bound: () => {
          this.#bound++
          if (this.#bound === this.#addresses.length) this.#send()
        },
        failed: (reason) => this.#finish({ type: 'refused', address, reason }),
        datagram: (bytes, source) => {
          if (!isSameBytes(bytes, this.#token)) return
          this.#missing.delete(`${formatAddress(source)}>${address}`)
          if (this.#missing.size === 0) this.#finish({ type: 'passed' })
        },
        sendFailed: () => {},
      },
    )
  }

  #send(): void {
    const [lost] = this.#missing.values()
    if (lost !== undefined && this.#rounds++ >= rounds) {
      this.#finish({ type: 'lost', ...lost })
      return
    }
    for (const { from, to } of this.#missing.values()) {
      this.#sockets[this.#addresses.indexOf(from)]?.send(this.#token, to)
    }
    this.#cancel = this.#host.clock.schedule(later(this.#host.clock.now(), intervalMs), () => this.#send())
  }

  #finish(result: SelfTestResult): void {
    this.#cancel()
    for (const socket of this.#sockets) socket.close()
    this.#done(result)
  }
}

/** A UDP socket on a simulated host that remembers what it got. */

import type { UdpBindOptions, UdpSocket } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { text } from './turn-harness.ts'

export interface Arrived {
  readonly at: number
  readonly from: string
  readonly text: string
}

export class ProbeSocket {
  readonly host: SimHost
  readonly arrived: Arrived[] = []
  readonly failures: string[] = []
  readonly socket: UdpSocket
  /** Undefined until it is bound, which takes no time. */
  local: TransportAddress | undefined

  constructor(host: SimHost, options: Partial<UdpBindOptions> & { port?: number } = {}) {
    this.host = host
    this.socket = host.bindUdp(
      { address: host.address(options.port ?? 0), ...options },
      {
        bound: (local) => {
          this.local = local
        },
        failed: (reason) => this.failures.push(`bind ${reason}`),
        datagram: (bytes, source) =>
          this.arrived.push({
            at: host.clock.now(),
            from: `${TransportAddress.from(source)}`,
            text: new TextDecoder().decode(bytes),
          }),
        sendFailed: (reason) => this.failures.push(reason),
      },
    )
  }

  send(message: string, destination: TransportAddress | string): void {
    this.socket.send(
      text(message),
      typeof destination === 'string' ? TransportAddress.parse(destination) : destination,
    )
  }

  get texts(): string[] {
    return this.arrived.map((packet) => packet.text)
  }

  /** Where the last packet came from. */
  get lastFrom(): string {
    return this.arrived.at(-1)?.from ?? 'nowhere'
  }
}

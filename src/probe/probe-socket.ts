/**
 * A UDP socket of a probe, bound to a concrete address (a wildcard would never equal what a server sees) and to a port
 * that nobody has used before, as filtering and lifetimes ask for (RFC 5780 §4.1).
 */

import type { UdpSocket } from '../core/host.ts'
import { randomBelow } from '../core/random.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Asked, AskOptions, Run } from './run.ts'

const ports = { least: 32_768, count: 32_768 } as const
const bindTries = 8

/** Hears what is no answer to a request of ours. The bytes belong to the receiver. */
export type OtherDatagrams = (bytes: Uint8Array, source: AddressWords) => void

export class ProbeSocket {
  readonly local: TransportAddress
  readonly #run: Run
  readonly #socket: UdpSocket
  onOther: OtherDatagrams = () => {}

  private constructor(run: Run, socket: UdpSocket, local: TransportAddress) {
    this.#run = run
    this.#socket = socket
    this.local = local
    run.adopt(this)
  }

  /** A socket on a random high port, or on the one given; the system's reason when there is none. */
  static async open(run: Run, address: TransportAddress, port?: number): Promise<ProbeSocket | string> {
    let reason = 'EADDRINUSE'
    for (let i = 0; i < (port === undefined ? bindTries : 1); i++) {
      const chosen = port ?? ports.least + randomBelow(run.host.random, ports.count)
      const opened = await bind(run, address.withPort(chosen))
      if (typeof opened !== 'string') return opened
      reason = opened
      if (reason !== 'EADDRINUSE') break
    }
    return reason
  }

  static make(run: Run, socket: UdpSocket, local: TransportAddress): ProbeSocket {
    return new ProbeSocket(run, socket, local)
  }

  ask(destination: TransportAddress, options?: AskOptions): Promise<Asked> {
    return this.#run.ask(this, destination, options)
  }

  send(bytes: Uint8Array, destination: AddressWords): void {
    this.#socket.send(bytes, destination)
  }

  setTtl(hops: number): void {
    this.#socket.setTtl(hops)
  }

  close(): void {
    this.#socket.close()
    this.#run.release(this)
  }
}

function bind(run: Run, address: TransportAddress): Promise<ProbeSocket | string> {
  return new Promise((resolve) => {
    let opened: ProbeSocket | undefined
    const socket = run.host.bindUdp(
      { address },
      {
        bound: (local) => {
          opened = ProbeSocket.make(run, socket, local)
          resolve(opened)
        },
        failed: (reason) => resolve(reason),
        datagram: (bytes, source) => {
          if (opened !== undefined && !run.handleDatagram(bytes, source, opened))
            opened.onOther(bytes, source)
        },
        sendFailed: () => {},
      },
    )
  })
}

/** A UDP socket of a test, on this machine: sends, and keeps what comes. */

import { createSocket, type Socket } from 'node:dgram'
import { until } from './until.ts'

export interface UdpPacket {
  readonly bytes: Uint8Array
  readonly port: number
  readonly address: string
}

export class UdpEndpoint {
  readonly received: UdpPacket[] = []
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (bytes, { address, port }) => {
      this.received.push({ bytes: new Uint8Array(bytes), address, port })
    })
    // What comes of ICMP is not what is tested here.
    socket.on('error', () => {})
  }

  static open(address = '127.0.0.1', port = 0): Promise<UdpEndpoint> {
    const socket = createSocket({
      type: address.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: 4 * 1024 * 1024,
    })
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(port, address, () => {
        socket.off('error', reject)
        resolve(new UdpEndpoint(socket))
      })
    })
  }

  get port(): number {
    return this.#socket.address().port
  }

  send(bytes: Uint8Array, port: number, address = '127.0.0.1'): void {
    this.#socket.send(bytes, port, address)
  }

  /** Sends until something comes that `isAnswer` takes, for UDP may lose it; what came before is kept as well. */
  async ask(bytes: Uint8Array, port: number, isAnswer: (packet: UdpPacket) => boolean): Promise<UdpPacket> {
    let tries = 0
    await until(() => {
      if (this.received.some(isAnswer)) return true
      if (tries++ % 100 === 0) this.send(bytes, port)
      return false
    })
    return this.received.find(isAnswer)!
  }

  close(): void {
    this.#socket.close()
  }
}

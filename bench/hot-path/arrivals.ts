/**
 * Packets as a driver hands them in: one datagram for all, filled from what the kernel has written about each; here six
 * words of one cache line, so that little of what is measured is the measuring.
 */

import type { Datagram } from '../../src/core/sans-io.ts'
import type { MutableAddressWords } from '../../src/core/transport-address.ts'
import type { ClientPackets } from '../support/engine.ts'

export type PacketKind = Exclude<keyof ClientPackets, 'client'>

export class Arrivals {
  readonly #words: Int32Array
  readonly #source: MutableAddressWords = { a: 0, b: 0, c: 0, d: 0, port: 0 }
  readonly #datagram: { -readonly [Key in keyof Datagram]: Datagram[Key] }

  constructor(clients: readonly ClientPackets[], packet: PacketKind) {
    const datagrams = clients.map((client) => client[packet])
    this.#words = new Int32Array(clients.length * 8)
    for (const [i, { socket, source }] of datagrams.entries()) {
      this.#words.set([socket, source.a, source.b, source.c, source.d, source.port], i * 8)
    }
    this.#datagram = { ...datagrams[0]!, source: this.#source }
  }

  of(client: number): Datagram {
    const words = this.#words
    const source = this.#source
    const at = client * 8
    this.#datagram.socket = words[at] as Datagram['socket']
    source.a = words[at + 1]!
    source.b = words[at + 2]!
    source.c = words[at + 3]!
    source.d = words[at + 4]!
    source.port = words[at + 5]!
    return this.#datagram
  }
}

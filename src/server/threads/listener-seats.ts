/**
 * The order in which threads have opened their listening sockets, kept as it is when one of them dies. The kernel gives
 * a client to a socket by a hash over their number, and puts the last one in the place of one that goes: without this
 * file the clients of all shards would be mixed up. So the main thread takes the seat of a dead shard, without an ear
 * for who comes, until the shard is back. For node:dgram only: sockets of the mmsg driver outlive their thread.
 *
 * Limit: one death at a time. With a second one in between, clients may come to another shard, and allocate anew.
 */

import type { Host, UdpSocket } from '../../core/host.ts'
import type { OpenListener } from '../listeners.ts'

export interface Seated {
  readonly engine: number
  /** Closes its listening sockets and opens them again: they are the last ones then. */
  reseat(): Promise<void>
}

export class ListenerSeats {
  readonly #host: Host
  readonly #listeners: readonly OpenListener[]
  /** In the order of the kernel's list. */
  readonly #order: Seated[]
  readonly #placeholders = new Map<Seated, UdpSocket[]>()

  constructor(host: Host, listeners: readonly OpenListener[], order: readonly Seated[]) {
    this.#host = host
    this.#listeners = listeners
    this.#order = [...order]
  }

  /** The shard has died; resolves when its seat is taken for it. */
  async left(shard: Seated): Promise<void> {
    const last = this.#remove(shard)
    this.#placeholders.set(shard, await this.#openPlaceholders())
    this.#order.push(shard)
    if (last === shard) return
    // The last one has got the dead one's seat. It leaves it, and the placeholder moves there.
    this.#remove(last)
    this.#order.push(last)
    await last.reseat()
  }

  /** The shard has opened its sockets, behind all others; they move to the seat that is left now. */
  returned(shard: Seated): void {
    for (const socket of this.#placeholders.get(shard) ?? []) socket.close()
    this.#placeholders.delete(shard)
  }

  close(): void {
    for (const shard of this.#placeholders.keys()) this.returned(shard)
  }

  /** As the kernel does it. The one that was last. */
  #remove(shard: Seated): Seated {
    const last = this.#order.pop() ?? shard
    const seat = this.#order.indexOf(shard)
    if (seat >= 0) this.#order[seat] = last
    return last
  }

  #openPlaceholders(): Promise<UdpSocket[]> {
    return Promise.all(
      this.#listeners.map(
        ({ address }) =>
          new Promise<UdpSocket>((resolve) => {
            const socket: UdpSocket = this.#host.bindUdp(
              { address, reusePort: true },
              {
                bound: () => resolve(socket),
                failed: () => resolve(socket),
                datagram: () => {},
                sendFailed: () => {},
              },
            )
          }),
      ),
    )
  }
}

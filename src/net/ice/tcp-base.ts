/** One TCP connection as a base: each packet goes with its length before it (RFC 4571). */

import type { StreamHandlers, StreamSocket } from '../../core/host.ts'
import type { SocketId } from '../../core/sans-io.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { encodeFrame, FrameReader } from '../../ice/framing.ts'
import type { IceBase, IceBases } from './base.ts'

/** Limit: what may wait for a peer that reads slowly. */
const maxPendingBytes = 1024 * 1024

export interface ConnectionEvents {
  opened(): void
  failed(reason: string): void
  closed(reason: string | undefined): void
}

export class TcpBase implements IceBase {
  readonly #bases: IceBases
  readonly #reader = new FrameReader()
  stream: StreamSocket | undefined
  onClosed: () => void = () => {}
  #isOpen = true

  constructor(bases: IceBases) {
    this.#bases = bases
  }

  send(bytes: Uint8Array): boolean {
    const { stream } = this
    if (stream === undefined || stream.pendingBytes > maxPendingBytes) return false
    const frame = encodeFrame(bytes)
    if (frame === undefined) return false
    stream.write(frame)
    return true
  }

  close(): void {
    this.#isOpen = false
    this.stream?.close()
    this.onClosed()
  }

  handlers(connection: SocketId, remote: TransportAddress, events: ConnectionEvents): StreamHandlers {
    return {
      opened: events.opened,
      failed: (reason) => {
        this.#bases.remove(connection)
        events.failed(reason)
      },
      data: (bytes) => {
        for (const packet of this.#reader.push(bytes)) {
          if (this.#isOpen) this.#bases.receive(connection, packet, remote)
        }
      },
      drained: () => {},
      ended: () => this.stream?.end(),
      closed: (reason) => {
        events.closed(reason)
        this.#bases.remove(connection)
      },
    }
  }
}

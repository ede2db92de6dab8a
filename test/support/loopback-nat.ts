/**
 * A NAT of real sockets on loopback, for behaviours that no kernel has (RFC 4787 §4.1, §5): clients send to its inner
 * faces, one for each address of a server; it sends on from external sockets, and answers from the face that is asked
 * for. The server has to advertise the faces as its own addresses.
 */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { Filtering, Mapping } from '../../src/probe/behavior.ts'

export interface LoopbackNatOptions {
  readonly mapping: Mapping
  readonly filtering: Filtering
  /** What its external sockets are bound to. */
  readonly externalIp: string
  /** Each address of the server, with its face inside. */
  readonly faces: readonly { readonly inside: TransportAddress; readonly server: TransportAddress }[]
}

interface ExternalSocket {
  readonly bound: Promise<Socket>
  /** Addresses and endpoints that have been sent to. */
  readonly sentTo: Set<string>
}

export class LoopbackNat {
  readonly #options: LoopbackNatOptions
  readonly #faces = new Map<string, Socket>()
  readonly #mappings = new Map<string, ExternalSocket>()

  private constructor(options: LoopbackNatOptions) {
    this.#options = options
  }

  /** Rejects when a face cannot be bound. */
  static async open(options: LoopbackNatOptions): Promise<LoopbackNat> {
    const nat = new LoopbackNat(options)
    for (const { inside, server } of options.faces) {
      const face = await bind(inside.ip, inside.port).catch(async (error) => {
        await nat.close()
        throw error
      })
      nat.#faces.set(`${server}`, face)
      face.on('message', (bytes, { address, port }) => void nat.#outbound(bytes, { address, port }, server))
    }
    return nat
  }

  async close(): Promise<void> {
    const external = await Promise.all([...this.#mappings.values()].map(({ bound }) => bound))
    for (const socket of [...this.#faces.values(), ...external]) socket.close()
  }

  async #outbound(bytes: Buffer, client: Endpoint, server: TransportAddress): Promise<void> {
    const mapping = this.#mappingOf(client, server)
    mapping.sentTo.add(server.ip).add(`${server}`)
    const socket = await mapping.bound
    socket.send(bytes, server.port, server.ip)
  }

  #mappingOf(client: Endpoint, server: TransportAddress): ExternalSocket {
    const toward = { EIM: '', ADM: server.ip, APDM: `${server}` }[this.#options.mapping]
    const key = `${client.address}:${client.port} ${toward}`
    const known = this.#mappings.get(key)
    if (known !== undefined) return known
    const mapping: ExternalSocket = { bound: bind(this.#options.externalIp, 0), sentTo: new Set() }
    this.#mappings.set(key, mapping)
    void mapping.bound.then((socket) =>
      socket.on('message', (bytes, source) => this.#inbound(bytes, source, client, mapping)),
    )
    return mapping
  }

  #inbound(bytes: Buffer, { address, port }: Endpoint, client: Endpoint, { sentTo }: ExternalSocket): void {
    const { filtering } = this.#options
    if (filtering !== 'EIF' && !sentTo.has(filtering === 'ADF' ? address : `${address}:${port}`)) return
    this.#faces.get(`${address}:${port}`)?.send(bytes, client.port, client.address)
  }
}

interface Endpoint {
  readonly address: string
  readonly port: number
}

async function bind(ip: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(port, ip)
  await once(socket, 'listening')
  return socket
}

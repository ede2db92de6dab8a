/** The one peer of all flows: a UDP socket, and its address as the server sees it. */

import type { Host, UdpSocket } from '../core/host.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { unspecifiedFor } from '../net/client-transport.ts'
import type { ResolvedServer } from '../net/resolve-server.ts'
import { exchangeStun } from '../net/stun-exchange.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'

/** Limit: a server that answers no Binding is not waited for. */
const bindingDeadlineMs = 1500

export class LoadPeer {
  /** Where the server finds it. */
  readonly address: TransportAddress
  /** Who hears of packets that come by the relays. */
  onData: (bytes: Uint8Array) => void = () => {}
  readonly #socket: UdpSocket

  constructor(socket: UdpSocket, address: TransportAddress) {
    this.#socket = socket
    this.address = address
  }

  /** The bytes must not change afterwards. */
  send(bytes: Uint8Array, relayed: AddressWords): void {
    this.#socket.send(bytes, relayed, false)
  }

  close(): void {
    this.#socket.close()
  }
}

/** A peer beside a server on loopback. Rejects with the system's code if there is no such socket to be had. */
export function openLoopbackPeer(host: Host, server: TransportAddress): Promise<LoadPeer> {
  return bindPeer(host, server.withPort(0), (local) => local)
}

/** A peer anywhere else, which asks the server for its address: it may be behind a NAT. */
export async function openPeer(host: Host, { address, transport }: ResolvedServer): Promise<LoadPeer> {
  const found = await whereIs(host, address, 'udp')
  // The same port again, so that it is the same mapping.
  if (found !== undefined) return bindPeer(host, found.local, () => found.mapped)
  const elsewhere = transport === 'udp' ? undefined : await whereIs(host, address, transport)
  return bindPeer(host, unspecifiedFor(address), (local) => elsewhere?.mapped.withPort(local.port) ?? local)
}

interface Whereabouts {
  readonly local: TransportAddress
  readonly mapped: TransportAddress
}

function whereIs(
  host: Host,
  server: TransportAddress,
  transport: ClientTransport,
): Promise<Whereabouts | undefined> {
  return new Promise((resolve) => {
    exchangeStun(host, { transport, server, deadlineMs: bindingDeadlineMs }, (result) => {
      const { local, mapped } = result.type === 'answered' ? result : {}
      resolve(local === undefined || mapped === undefined ? undefined : { local, mapped })
    })
  })
}

function bindPeer(
  host: Host,
  address: TransportAddress,
  addressOf: (local: TransportAddress) => TransportAddress,
): Promise<LoadPeer> {
  return new Promise((resolve, reject) => {
    let peer: LoadPeer | undefined
    const socket = host.bindUdp(
      { address },
      {
        bound: (local) => {
          peer = new LoadPeer(socket, addressOf(local))
          resolve(peer)
        },
        failed: (reason) => reject(new Error(reason)),
        datagram: (bytes) => peer?.onData(bytes),
        sendFailed: () => {},
      },
    )
  })
}

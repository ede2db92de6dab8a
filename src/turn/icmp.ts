/** ICMP errors about datagrams that a client has sent to a peer, told in Data indications (RFC 8656 §11.5, §18.13). */

import type { Random } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { encodeMessage } from '../stun/encode.ts'
import type { ServerState } from './request.ts'
import { noSocket } from './socket-numbers.ts'

export interface IcmpError {
  readonly type: number
  readonly code: number
  /** The MTU of the next hop, of errors that tell it. */
  readonly data: number
}

/** What says that a datagram did not arrive: unreachable and time exceeded, and for IPv6 packet too big. */
const relayedTypes = { IPv4: [3, 11], IPv6: [1, 2, 3] } as const

export class IcmpRelaying {
  readonly #state: ServerState
  readonly #random: Random

  constructor(state: ServerState, random: Random) {
    this.#state = state
    this.#random = random
  }

  handle(socket: SocketId, peer: AddressWords, icmp: IcmpError, now: Instant): void {
    const { allocations, counters, outputs } = this.#state
    const relayed = allocations.findByRelaySocket(socket)
    if (relayed === undefined) {
      counters.drops['no-allocation']++
      return
    }
    const { family } = relayed.address
    const types: readonly number[] = relayedTypes[family]
    if (!types.includes(icmp.type)) {
      counters.drops['unexpected-icmp']++
      return
    }
    // The permission is for the peer that was sent to, not for the router that answers.
    if (allocations.findPermission(relayed, peer, now) === undefined) {
      counters.drops['no-permission']++
      return
    }
    const { allocation } = relayed
    if (allocation.socket === noSocket) {
      counters.drops['client-away']++
      return
    }
    const bytes = encodeMessage({
      class: 'indication',
      method: 'Data',
      transactionId: this.#random.bytes(12),
      attributes: [
        ['XOR-PEER-ADDRESS', TransportAddress.from(peer)],
        ['ICMP', { ...icmp, data: carriesMtu(family, icmp) ? icmp.data : 0 }],
      ],
    })
    outputs.push({ type: 'transmit', socket: allocation.socket, destination: allocation.client, bytes })
  }
}

function carriesMtu(family: 'IPv4' | 'IPv6', { type, code }: IcmpError): boolean {
  return family === 'IPv4' ? type === 3 && code === 4 : type === 2
}

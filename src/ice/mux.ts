/**
 * Several agents behind one socket (a single port for all sessions): who a packet is for. A check says it by the fragment in
 * its USERNAME, everything else by where it comes from.
 */

import { AddressTable } from '../core/address-table.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import { type Datagram, datagramBytes, type SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { decodeMessage } from '../stun/message.ts'
import { ufragsOf } from './binding.ts'
import type { InputVerdict } from './inbound.ts'

/** What the mux has to know of an agent: IceAgent is one. */
export interface MuxedAgent {
  handleDatagram(datagram: Datagram, now: Instant): InputVerdict
}

interface Entry {
  readonly addresses: { readonly socket: SocketId; readonly address: TransportAddress }[]
  readonly ufrags: string[]
}

/** Limit: addresses learnt for one agent; a session has a few paths, and its peer may be lying. */
const maxAddresses = 128

export class IceMux<Agent extends MuxedAgent> {
  readonly #entries = new Map<Agent, Entry>()
  readonly #byUfrag = new Map<string, Agent>()
  readonly #byAddress: AddressTable<Agent>

  constructor(random: Random) {
    this.#byAddress = new AddressTable(randomUint32(random))
  }

  /** Checks with this fragment are for the agent: one call for each of its generations. */
  add(agent: Agent, ufrag: string): void {
    this.#entryOf(agent).ufrags.push(ufrag)
    this.#byUfrag.set(ufrag, agent)
  }

  /** The generation with this fragment is over. */
  removeUfrag(ufrag: string): void {
    this.#byUfrag.delete(ufrag)
  }

  /** The agent has been closed: nothing is for it any more. */
  remove(agent: Agent): void {
    const entry = this.#entries.get(agent)
    if (entry === undefined) return
    this.#entries.delete(agent)
    for (const ufrag of entry.ufrags) this.#byUfrag.delete(ufrag)
    for (const { socket, address } of entry.addresses) {
      if (this.#byAddress.get(socket, address) === agent) this.#byAddress.delete(socket, address)
    }
  }

  /** The agent sends there, so answers from there are for it. To be told of each packet that it transmits. */
  sent(agent: Agent, socket: SocketId, destination: TransportAddress): void {
    if (this.#byAddress.get(socket, destination) === undefined) this.#learn(agent, socket, destination)
  }

  /** What the agent made of the packet that was routed last. */
  verdict: InputVerdict = 'dropped'

  /** Gives a packet to the agent that it is for, and says which that was. Undefined: it is nobody's, and is dropped. */
  route(datagram: Datagram, now: Instant): Agent | undefined {
    const { socket, source } = datagram
    const named = this.#byName(datagram)
    const agent = named ?? this.#byAddress.get(socket, source)
    this.verdict = agent?.handleDatagram(datagram, now) ?? 'dropped'
    // Only what was authentic moves an address from one session to another.
    if (named !== undefined && this.verdict !== 'dropped') {
      this.#learn(named, socket, TransportAddress.from(source))
    }
    return agent
  }

  #byName(datagram: Datagram): Agent | undefined {
    const first = datagram.bytes[datagram.start]
    if (first === undefined || first > 3) return undefined
    const message = decodeMessage(datagramBytes(datagram))
    if (typeof message === 'string' || message.class !== 'request') return undefined
    const ufrags = ufragsOf(message)
    return ufrags && this.#byUfrag.get(ufrags.local)
  }

  #learn(agent: Agent, socket: SocketId, address: TransportAddress): void {
    if (this.#byAddress.get(socket, address) === agent) return
    const { addresses } = this.#entryOf(agent)
    if (addresses.length >= maxAddresses) {
      const oldest = addresses.shift()!
      if (this.#byAddress.get(oldest.socket, oldest.address) === agent) {
        this.#byAddress.delete(oldest.socket, oldest.address)
      }
    }
    addresses.push({ socket, address })
    this.#byAddress.set(socket, address, agent)
  }

  #entryOf(agent: Agent): Entry {
    let entry = this.#entries.get(agent)
    if (entry === undefined) {
      entry = { addresses: [], ufrags: [] }
      this.#entries.set(agent, entry)
    }
    return entry
  }
}

/**
 * Several agents behind one socket (a single port for all sessions): who a packet is for. A check says it by the fragment in
 * its USERNAME, an answer by the transaction that it ends, everything else by where it comes from.
 * Limit: two sessions between the same two ports cannot be told apart by their data; the later one has it.
 */

import { AddressTable } from '../core/address-table.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import { type Datagram, datagramBytes, type SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { decodeMessage, headerBytes } from '../stun/message.ts'
import { ufragsOf } from './binding.ts'
import type { InputVerdict } from './inbound.ts'

/** What the mux has to know of an agent: IceAgent is one. */
export interface MuxedAgent {
  handleDatagram(datagram: Datagram, now: Instant): InputVerdict
}

interface Entry {
  readonly addresses: { readonly socket: SocketId; readonly address: TransportAddress }[]
  readonly ufrags: string[]
  /** Of requests without an answer, the oldest first. */
  readonly transactions: Set<string>
}

/** Limit: addresses learnt for one agent; a session has a few paths, and its peer may be lying. */
const maxAddresses = 128
/** Limit: requests of one agent without an answer; a checklist has 100 pairs, and there are servers besides. */
const maxTransactions = 256

export class IceMux<Agent extends MuxedAgent> {
  readonly #entries = new Map<Agent, Entry>()
  readonly #byUfrag = new Map<string, Agent>()
  readonly #byTransaction = new Map<string, Agent>()
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
    for (const transaction of entry.transactions) this.#byTransaction.delete(transaction)
    for (const { socket, address } of entry.addresses) {
      if (this.#byAddress.get(socket, address) === agent) this.#byAddress.delete(socket, address)
    }
  }

  /** The agent sends that there, so answers are for it. To be told of each packet that it transmits, data excepted. */
  sent(agent: Agent, socket: SocketId, destination: TransportAddress, bytes: Uint8Array): void {
    if (this.#byAddress.get(socket, destination) === undefined) this.#learn(agent, socket, destination)
    if (!isBindingRequest(bytes)) return
    const transaction = transactionOf(bytes, 0)
    const { transactions } = this.#entryOf(agent)
    const [oldest] = transactions
    if (transactions.size >= maxTransactions && oldest !== undefined) {
      transactions.delete(oldest)
      this.#byTransaction.delete(oldest)
    }
    transactions.add(transaction)
    this.#byTransaction.set(transaction, agent)
  }

  /** What the agent made of the packet that was routed last. */
  verdict: InputVerdict = 'dropped'

  /** Gives a packet to the agent that it is for, and says which that was. Undefined: it is nobody's, and is dropped. */
  route(datagram: Datagram, now: Instant): Agent | undefined {
    const { socket, source } = datagram
    const isMessage = isStun(datagram)
    const named = isMessage ? this.#byName(datagram) : undefined
    const asking = isMessage ? this.#byAnswer(datagram) : undefined
    const agent = named ?? asking ?? this.#byAddress.get(socket, source)
    this.verdict = agent?.handleDatagram(datagram, now) ?? 'dropped'
    // Only what was authentic moves an address from one session to another.
    if (named !== undefined && this.verdict !== 'dropped') {
      this.#learn(named, socket, TransportAddress.from(source))
    }
    if (asking !== undefined && this.verdict !== 'dropped') this.#answered(asking, datagram)
    return agent
  }

  #answered(agent: Agent, { bytes, start }: Datagram): void {
    const transaction = transactionOf(bytes, start)
    this.#byTransaction.delete(transaction)
    this.#entries.get(agent)?.transactions.delete(transaction)
  }

  #byName(datagram: Datagram): Agent | undefined {
    const message = decodeMessage(datagramBytes(datagram))
    if (typeof message === 'string' || message.class !== 'request') return undefined
    const ufrags = ufragsOf(message)
    return ufrags && this.#byUfrag.get(ufrags.local)
  }

  #byAnswer({ bytes, start }: Datagram): Agent | undefined {
    // Success 0x0101, error 0x0111.
    if (bytes[start] !== 1) return undefined
    return this.#byTransaction.get(transactionOf(bytes, start))
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
      entry = { addresses: [], ufrags: [], transactions: new Set() }
      this.#entries.set(agent, entry)
    }
    return entry
  }
}

function isStun({ bytes, start, end }: Datagram): boolean {
  return end - start >= headerBytes && bytes[start]! <= 3
}

function isBindingRequest(bytes: Uint8Array): boolean {
  return bytes.length >= headerBytes && bytes[0] === 0 && bytes[1] === 1
}

/** The twelve bytes as a text, for a map's key. */
function transactionOf(bytes: Uint8Array, start: number): string {
  return String.fromCharCode(...bytes.subarray(start + 8, start + headerBytes))
}

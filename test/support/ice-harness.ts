/**
 * Two IceAgents in simulated time, with a wire between them that delays, drops and tampers. Every packet that either side
 * sends is kept, with the time and the purpose.
 */

import { datagramOf, type SocketId, socketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { IceAgent, type InputVerdict } from '../../src/ice/agent.ts'
import type { IceAgentOptions } from '../../src/ice/options.ts'
import type { IceOutput, TransmitPurpose } from '../../src/ice/outputs.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { seededRandom } from './random.ts'

export interface Packet {
  readonly from: string
  readonly at: number
  readonly source: TransportAddress
  readonly destination: TransportAddress
  readonly bytes: Uint8Array
  readonly purpose: TransmitPurpose
}

export interface Side {
  readonly name: string
  readonly agent: IceAgent
  readonly sockets: Map<SocketId, TransportAddress>
  readonly outputs: IceOutput[]
}

interface Scheduled {
  readonly at: number
  readonly order: number
  run(): void
}

export interface WireOptions {
  /** One way. */
  readonly delayMs?: number
  /** Says which packets are lost. */
  readonly lose?: (packet: Packet) => boolean
}

export class IceHarness {
  now: Instant = instant(1_000_000)
  readonly start = this.now
  readonly packets: Packet[] = []
  readonly a: Side
  readonly b: Side
  delayMs: number
  lose: (packet: Packet) => boolean
  readonly #queue: Scheduled[] = []
  #order = 0

  constructor(
    a: Partial<IceAgentOptions> = {},
    b: Partial<IceAgentOptions> = {},
    { delayMs = 25, lose = () => false }: WireOptions = {},
  ) {
    this.delayMs = delayMs
    this.lose = lose
    this.a = side('a', { role: 'controlling', ...a }, 1)
    this.b = side('b', { role: 'controlled', ...b }, 2)
  }

  other(of: Side): Side {
    return of === this.a ? this.b : this.a
  }

  /** Milliseconds since the start. */
  get elapsed(): number {
    return this.now - this.start
  }

  /** A host candidate on a socket of its own. */
  addHost(to: Side, address: string, socket = to.sockets.size + 1): SocketId {
    const id = socketId(socket)
    const local = TransportAddress.parse(address)
    to.sockets.set(id, local)
    to.agent.addLocalCandidate({ type: 'host', socket: id, address: local }, this.now)
    this.drain(to)
    return id
  }

  /** Hands everything that one side has to signal to the other: description, candidates, end of candidates. */
  signal(from: Side): void {
    const to = this.other(from)
    to.agent.setRemoteDescription(from.agent.localDescription, this.now)
    for (const output of from.outputs) {
      if (output.type === 'local-candidate') {
        to.agent.addRemoteCandidate(output.candidate, this.now, output.stream)
      }
    }
    this.drain(to)
  }

  signalBoth(): void {
    this.signal(this.a)
    this.signal(this.b)
  }

  /** A candidate on each side, told to the other. */
  simple(): this {
    this.addHost(this.a, '10.0.0.1:1000')
    this.addHost(this.b, '10.0.0.2:2000')
    this.signalBoth()
    return this
  }

  /** Lets time pass until the condition holds; false if it did not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs = 60_000): boolean {
    const end = later(this.now, limitMs)
    while (!condition()) {
      if (!this.#step(end)) {
        this.now = end
        return condition()
      }
    }
    return true
  }

  run(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Hands a packet to a side at once. */
  deliver(to: Side, source: TransportAddress, bytes: Uint8Array, socket = socketId(1)): InputVerdict {
    const verdict = to.agent.handleDatagram(datagramOf(socket, source, bytes), this.now)
    this.drain(to)
    return verdict
  }

  drain(of: Side): void {
    for (let output = of.agent.poll(); output !== undefined; output = of.agent.poll()) {
      of.outputs.push(output)
      if (output.type === 'transmit') this.#send(of, output)
    }
  }

  events<Type extends IceOutput['type']>(of: Side, type: Type): Extract<IceOutput, { type: Type }>[] {
    return of.outputs.filter((output) => output.type === type) as Extract<IceOutput, { type: Type }>[]
  }

  states(of: Side): string[] {
    return this.events(of, 'state').map((event) => event.state)
  }

  #send(from: Side, output: Extract<IceOutput, { type: 'transmit' }>): void {
    const source = from.sockets.get(output.socket)
    if (source === undefined)
      throw new Error(`${from.name} sends from socket ${output.socket}, which is not open`)
    const { destination, bytes, purpose } = output
    const packet = { from: from.name, at: this.elapsed, source, destination, bytes, purpose }
    this.packets.push(packet)
    if (this.lose(packet)) return
    const to = this.other(from)
    for (const [socket, address] of to.sockets) {
      if (!address.equals(destination)) continue
      this.#schedule(later(this.now, this.delayMs), () => this.deliver(to, source, bytes, socket))
    }
  }

  #schedule(at: Instant, run: () => void): void {
    this.#queue.push({ at, order: this.#order++, run })
    this.#queue.sort((x, y) => x.at - y.at || x.order - y.order)
  }

  /** What is next: a delivery, or a timeout of either side. False if nothing is before `end`. */
  #step(end: Instant): boolean {
    const due = [this.a, this.b].flatMap((of) => {
      const at = of.agent.pollTimeout()
      return at === undefined ? [] : [{ at: Math.max(at, this.now), of }]
    })
    due.sort((x, y) => x.at - y.at)
    const [timeout] = due
    const [delivery] = this.#queue
    const at = Math.min(timeout?.at ?? Infinity, delivery?.at ?? Infinity)
    if (at > end) return false
    this.now = instant(at)
    if (delivery !== undefined && delivery.at <= at) {
      this.#queue.shift()
      delivery.run()
      return true
    }
    const { agent } = timeout!.of
    agent.handleTimeout(this.now)
    this.drain(timeout!.of)
    const next = agent.pollTimeout()
    if (next !== undefined && next <= this.now)
      throw new Error(`${timeout!.of.name} wants to be called again at once`)
    return true
  }
}

function side(name: string, options: IceAgentOptions, seed: number): Side {
  return { name, agent: new IceAgent(options, seededRandom(seed)), sockets: new Map(), outputs: [] }
}

export function decode(packet: Packet): Message {
  const message = decodeMessage(packet.bytes)
  if (typeof message === 'string') throw new Error(`not STUN: ${message}`)
  return message
}

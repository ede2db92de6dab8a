/** One IceAgent with a peer that is played by the test: input → outputs, in simulated time. */

import { datagramOf, type SocketId, socketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { IceAgent } from '../../src/ice/agent.ts'
import { parseCandidate } from '../../src/ice/candidate-line.ts'
import type { IceDescription } from '../../src/ice/credentials.ts'
import type { InputVerdict } from '../../src/ice/inbound.ts'
import type { IceAgentOptions } from '../../src/ice/options.ts'
import type { IceOutput } from '../../src/ice/outputs.ts'
import type { RemoteCandidateVerdict } from '../../src/ice/remote-candidates.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { checkOf, peerCredentials, type RequestParts, successTo } from './ice-messages.ts'
import { seededRandom } from './random.ts'

export type Transmit = Extract<IceOutput, { type: 'transmit' }>

export const host = socketId(1)
export const hostAddress = TransportAddress.parse('192.0.2.1:1000')
export const peerAddress = TransportAddress.parse('198.51.100.1:2000')

export class SoloIce {
  now: Instant = instant(1_000_000)
  readonly agent: IceAgent
  outputs: IceOutput[] = []

  constructor(options: Partial<IceAgentOptions> = {}) {
    this.agent = new IceAgent({ role: 'controlling', ...options }, seededRandom(7))
  }

  /** A host candidate and the peer's description with one candidate. */
  static ready(options: Partial<IceAgentOptions> = {}, description: Partial<IceDescription> = {}): SoloIce {
    const solo = new SoloIce(options)
    solo.addHost()
    solo.describe(description)
    solo.addRemote(peerAddress)
    solo.takeOutputs()
    return solo
  }

  /** As `ready`, with the one pair valid, and selected if we are controlling. */
  static connected(
    options: Partial<IceAgentOptions> = {},
    description: Partial<IceDescription> = {},
  ): SoloIce {
    const solo = SoloIce.ready(options, description)
    solo.elapse(0)
    solo.answerAll()
    // The nomination comes one Ta after the check.
    solo.elapse(5)
    solo.answerAll()
    if (solo.agent.role === 'controlled') solo.check({ nominate: true })
    solo.takeOutputs()
    return solo
  }

  addHost(address = hostAddress, socket = host): void {
    this.agent.addLocalCandidate({ type: 'host', socket, address }, this.now)
    this.drain()
  }

  describe(description: Partial<IceDescription> = {}): void {
    this.agent.setRemoteDescription({ ...peerCredentials, ...description }, this.now)
    this.drain()
  }

  addRemote(
    address: TransportAddress,
    line = '1 1 udp 2130706431 HOST PORT typ host',
  ): RemoteCandidateVerdict {
    const candidate = parseCandidate(line.replace('HOST', address.ip).replace('PORT', `${address.port}`))
    if (typeof candidate === 'string') throw new Error(candidate)
    const verdict = this.agent.addRemoteCandidate(candidate, this.now)
    this.drain()
    return verdict
  }

  handle(bytes: Uint8Array, source = peerAddress, socket: SocketId = host): InputVerdict {
    const verdict = this.agent.handleDatagram(datagramOf(socket, source, bytes), this.now)
    this.drain()
    return verdict
  }

  /** The peer's check, and the one answer to it. */
  check(parts: RequestParts = {}, source = peerAddress, socket: SocketId = host): Message | undefined {
    const before = this.outputs.length
    this.handle(checkOf(this.agent, parts), source, socket)
    const answers = this.outputs
      .slice(before)
      .filter((output) => output.type === 'transmit' && output.purpose === 'response') as Transmit[]
    if (answers.length > 1) throw new Error('more than one answer')
    return answers[0] === undefined ? undefined : decoded(answers[0])
  }

  /** Lets time pass, with every timeout handled when it is due. */
  elapse(ms: number): void {
    const end = later(this.now, ms)
    for (;;) {
      const due = this.agent.pollTimeout()
      if (due === undefined || due > end) break
      if (due > this.now) this.now = due
      this.agent.handleTimeout(this.now)
      this.drain()
    }
    this.now = end
  }

  /** Requests that have gone out and not been taken yet. */
  requests(): Transmit[] {
    return this.outputs.filter(
      (output) =>
        output.type === 'transmit' && output.purpose !== 'response' && output.purpose !== 'keepalive',
    ) as Transmit[]
  }

  /** The peer answers every request that has gone out. */
  answerAll(): void {
    const requests = this.requests()
    this.takeOutputs()
    for (const request of requests) this.answer(request)
  }

  answer(
    request: Transmit,
    mapped = hostAddress,
    source: TransportAddress = request.destination,
  ): InputVerdict {
    return this.handle(successTo(decoded(request).transactionId, mapped), source, request.socket)
  }

  events<Type extends IceOutput['type']>(type: Type): Extract<IceOutput, { type: Type }>[] {
    return this.outputs.filter((output) => output.type === type) as Extract<IceOutput, { type: Type }>[]
  }

  takeOutputs(): IceOutput[] {
    const { outputs } = this
    this.outputs = []
    return outputs
  }

  /** All that can be seen of the agent from outside, to compare before and after. */
  snapshot(): string {
    const { agent } = this
    const pairs = agent
      .pairs()
      .map(({ local, remote, ...pair }) => ({ ...pair, local: local.id, remote: remote.id }))
    const seen = {
      state: agent.state,
      role: agent.role,
      pairs,
      path: agent.sendPath(),
      due: agent.pollTimeout(),
    }
    return JSON.stringify(seen, (_key, value) => (typeof value === 'bigint' ? `${value}` : value))
  }

  drain(): void {
    for (let output = this.agent.poll(); output !== undefined; output = this.agent.poll())
      this.outputs.push(output)
  }
}

export function decoded(transmit: { readonly bytes: Uint8Array }): Message {
  const message = decodeMessage(transmit.bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

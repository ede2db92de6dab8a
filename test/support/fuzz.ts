/**
 * Damaged, forged and merely odd packets against a TURN server in simulated time. Half of the damage is done before a
 * request is signed, so that it gets past the credentials. Everything is drawn from one seed.
 */

import type { SocketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { readUint16 } from '../../src/stun/bytes.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { classOf } from '../../src/stun/methods.ts'
import { isRelaySocket } from '../../src/turn/socket-numbers.ts'
import { DamagedPackets, oddPeers } from './damaged-packets.ts'
import { seededRandom } from './random.ts'
import { peer6, peerA, peerB, realm, type Sent, type TurnClient, TurnHarness } from './turn-harness.ts'

export interface FuzzReport {
  readonly packets: number
  readonly answers: number
  readonly routes: number
  readonly allocations: number
}

/** Limit of RFC 5769-sized realms: what an answer to somebody without credentials may take. */
const longestUnauthenticatedAnswer = 100
const packetsBetweenChecks = 250

/** Feeds so many packets in. Throws, with seed and packet number, when the server breaks a rule. */
export function fuzz(packets: number, seed: number): FuzzReport {
  const run = new FuzzRun(seed)
  for (let i = 0; i < packets; i++) {
    try {
      run.step(i)
    } catch (cause) {
      throw new Error(`seed ${seed}, packet ${i}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      })
    }
  }
  return run.end(packets)
}

class FuzzRun {
  readonly #random: ReturnType<typeof seededRandom>
  readonly #packets: DamagedPackets
  readonly #harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_063 }, userQuota: 40 })
  readonly #bystander: TurnClient
  #bystanderSocket: SocketId
  readonly #attackers: TurnClient[] = []
  /** Those of them who do not have the password. */
  readonly #strangers = new Set<TurnClient>()
  #answers = 0
  #routes = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#packets = new DamagedPackets(this.#random, realm, [peerA, peerB, peer6])
    this.#bystander = this.#harness.client('bob', 'builder')
    this.#bystanderSocket = this.#bystander.relaySocketAt(this.#bystander.allocate())
    this.#harness.bindPolicy = () => this.#bindResult()
  }

  step(index: number): void {
    if (index % packetsBetweenChecks === 0) this.#betweenPackets()
    const harness = this.#harness
    harness.takeOutputs()
    switch (this.#random.below(12)) {
      case 0:
        this.#fromPeer()
        return
      case 1:
        this.#deliver(this.#pick(this.#attackers), this.#random.bytes(this.#random.below(80)))
        return
      case 2:
        this.#answerBind()
        return
      default: {
        const client = this.#pick(this.#attackers)
        this.#deliver(client, this.#packets.packet(client))
      }
    }
  }

  end(packets: number): FuzzReport {
    const harness = this.#harness
    while (harness.pendingBinds.size > 0) this.#answerBind()
    harness.elapse(7_200)
    const { allocations, allocationsCreated } = harness.server.counters
    if (allocations !== 0) throw new Error(`${allocations} allocations have not ended`)
    if (harness.relaySockets.size !== 0)
      throw new Error(`${harness.relaySockets.size} relay sockets are open`)
    if (harness.server.pollTimeout() !== undefined) throw new Error('there is something left to wait for')
    return { packets, answers: this.#answers, routes: this.#routes, allocations: allocationsCreated }
  }

  #betweenPackets(): void {
    const harness = this.#harness
    harness.elapse([0, 1, 60, 400][this.#random.below(4)]!)
    harness.bindPolicy = () => undefined
    this.#checkBystander()
    this.#attackers.length = 0
    for (let i = 0; i < 3; i++) this.#attackers.push(harness.client())
    const stranger = harness.client('alice', 'wrong')
    this.#strangers.add(stranger)
    this.#attackers.push(harness.streamClient(), stranger)
    for (const client of this.#attackers) {
      client.nonce = client.challenge()
      client.exchange(
        client.encode('Allocate', [
          ['REQUESTED-TRANSPORT', 17],
          ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6'],
        ]),
      )
      client.exchange(
        client.encode('ChannelBind', [
          ['CHANNEL-NUMBER', 0x4000],
          ['XOR-PEER-ADDRESS', peerA],
        ]),
      )
      client.exchange(client.encode('CreatePermission', [['XOR-PEER-ADDRESS', peer6]]))
    }
    this.#attackers.push(harness.client(), harness.client('bob', 'builder', this.#attackers[0]!.address))
    for (const client of this.#attackers.slice(-2)) client.nonce = client.challenge()
    harness.bindPolicy = () => this.#bindResult()
  }

  /** Somebody else, who has to be served as if nothing had happened. */
  #checkBystander(): void {
    const client = this.#bystander
    client.nonce = undefined
    if (client.request('Refresh').class !== 'success') {
      client.request('Refresh', [['LIFETIME', 0]])
      this.#bystanderSocket = client.relaySocketAt(client.allocate())
    }
    if (client.bindChannel(0x4001, peerB).class !== 'success')
      throw new Error('the bystander may not bind a channel')
    const payload = this.#random.bytes(this.#random.below(100))
    const out = client.sendChannelData(0x4001, payload)
    const back = this.#harness.fromPeer(this.#bystanderSocket, peerB, payload)
    if (!isSame(out?.bytes, payload)) throw new Error('what the bystander has sent is not what is relayed')
    if (!isSame(back?.bytes.subarray(4), payload))
      throw new Error('what the bystander gets is not what was sent')
  }

  #deliver(client: TurnClient, bytes: Uint8Array): void {
    const harness = this.#harness
    const before = harness.takeOutputs().length
    if (before !== 0) throw new Error('outputs were left over')
    const sent = harness.handle({ socket: client.socket, source: client.address, bytes })
    this.#checkSent(sent)
    const transmitted = harness.takeOutputs().filter((output) => output.type === 'transmit')
    if (transmitted.length + (sent === undefined ? 0 : 1) > 1)
      throw new Error('more than one packet for one packet')
    const [answer] = transmitted
    if (answer?.type !== 'transmit') return
    this.#answers++
    if (!answer.destination.equals(client.address)) throw new Error(`an answer to ${answer.destination}`)
    const request = decodeMessage(bytes)
    if (typeof request === 'string') throw new Error(`an answer to what is ${request}`)
    if (classOf(readUint16(bytes, 0)) !== 'request') throw new Error(`an answer to ${request.class}`)
    const message = decodeMessage(answer.bytes)
    if (typeof message === 'string') throw new Error(`an answer that is ${message}`)
    if (message.malformed() !== undefined)
      throw new Error(`an answer with a malformed ${message.malformed()}`)
    const key = { algorithm: 'sha1', key: client.key } as const
    const isKnown = checkIntegrity(request, key) && !this.#strangers.has(client)
    if (message.class === 'success' && message.method !== 'Binding' && !isKnown) {
      throw new Error('a success without credentials')
    }
    if (!isKnown && answer.bytes.length > longestUnauthenticatedAnswer) {
      throw new Error(`${answer.bytes.length} bytes to somebody without credentials`)
    }
  }

  #fromPeer(): void {
    const harness = this.#harness
    const sockets = [...harness.relaySockets.keys()]
    if (sockets.length === 0) return
    const bytes = this.#random.bytes(this.#random.below(200))
    const sent = harness.fromPeer(this.#pick(sockets), this.#pick([peerA, peerB, peer6, ...oddPeers]), bytes)
    this.#checkSent(sent)
    if (harness.outputs.length > 0) throw new Error('an answer to a peer')
    const icmpPeer = this.#pick([peerA, peer6]).withPort(this.#random.below(2) * 5000)
    harness.server.handleIcmp(
      this.#pick(sockets),
      icmpPeer,
      this.#random.below(256),
      this.#random.below(256),
      0,
      harness.now,
    )
    harness.drain()
    harness.takeOutputs()
  }

  #checkSent(sent: Sent | undefined): void {
    if (sent === undefined) return
    this.#routes++
    const destination = TransportAddress.parse(sent.destination)
    if (destination.port === 0) throw new Error('a packet to port 0')
    const isPeer = isRelaySocket(sent.socket)
    if (isPeer && oddPeers.some((peer) => peer.ip === destination.ip))
      throw new Error(`a packet to ${destination}`)
  }

  #bindResult(): string | undefined | 'later' {
    return this.#pick([undefined, undefined, undefined, 'EADDRINUSE', 'EMFILE', 'later'] as const)
  }

  /** The world answers a bind that it has left open. */
  #answerBind(): void {
    const harness = this.#harness
    const [pending] = harness.pendingBinds
    if (pending === undefined) return
    const [socket, address] = pending
    harness.pendingBinds.delete(socket)
    if (this.#random.below(2) === 0) harness.server.relayFailed(socket, 'EACCES', harness.now)
    else {
      harness.relaySockets.set(socket, address)
      harness.server.relayBound(socket, harness.now)
    }
    harness.drain()
    harness.takeOutputs()
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#random.below(values.length)]!
  }
}

function isSame(x: Uint8Array | undefined, y: Uint8Array): boolean {
  return x !== undefined && Buffer.compare(x, y) === 0
}

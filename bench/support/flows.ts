/**
 * Flows through any TURN server on this machine, made by one process that spends little on each packet: all clients share
 * one socket and differ by their loopback address, all peers are one socket, and both are read and written in batches.
 * Every payload carries the time it was sent. It saturates from one core what `turnpike load` does not: that has a socket
 * and a client of its own for each flow, as it takes for a server anywhere.
 */

import { type MutableAddressWords, TransportAddress } from '../../src/core/transport-address.ts'
import { constants as c, cmsghdr, errnoName, iovec, mmsghdr, msghdr } from '../../src/net/udp-mmsg/abi.ts'
import { Arena } from '../../src/net/udp-mmsg/arena.ts'
import { type Libc, loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import {
  readSocketAddress,
  socketAddressBytes,
  writeSocketAddress,
} from '../../src/net/udp-mmsg/socket-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'

const batch = 64
const slotBytes = 2048
const channel = 0x4000
/** When nothing has come for so long, what is missing is lost. */
const lossAfterMs = 100

export interface FlowOptions {
  readonly server: TransportAddress
  readonly user: string
  readonly password: string
  readonly flows: number
  readonly payload: number
  /** Without a server: clients and peer send to each other. What is measured then is this machine. */
  readonly isDirect?: boolean
  /** Through a forwarder that is not a TURN server: a client asks for a socket with the six bytes of the peer's address. */
  readonly isBare?: boolean
}

export interface TrafficOptions {
  readonly direction: 'up' | 'down' | 'both'
  /** Packets that a flow sends in a row. */
  readonly burst: number
  readonly seconds: number
  /** Ends the run earlier, when so many packets have arrived. */
  readonly packets?: number
  /** Packets per second in all; 0 is as fast as what was sent comes back: never more than `window` under way. */
  readonly rate: number
  readonly window?: number
}

export interface TrafficResult {
  readonly sent: number
  readonly received: number
  readonly seconds: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
}

interface Flow {
  readonly index: number
  readonly address: TransportAddress
  nonce: string
  relayed: TransportAddress | undefined
}

export class Flows {
  readonly #arena: Arena
  readonly #options: FlowOptions
  readonly #key: Uint8Array
  readonly #flows: Flow[] = []
  readonly #client: Endpoint
  readonly #peer: Endpoint
  realm = ''

  constructor(options: FlowOptions) {
    const libc = loadLibc()
    if (typeof libc === 'string') throw new Error(libc)
    this.#options = options
    const arena = Arena.map(libc, 16 * 1024 * 1024)
    if (arena === undefined) throw new Error('mmap failed')
    this.#arena = arena
    this.#key = new Uint8Array(16)
    this.#client = new Endpoint(libc, arena, TransportAddress.of('0.0.0.0', 0), true)
    this.#peer = new Endpoint(libc, arena, TransportAddress.of('127.0.0.1', 0), false)
    for (let index = 0; index < options.flows; index++) {
      const host = 2 + index
      const address = TransportAddress.of(`127.${1 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`, 0)
      this.#flows.push({ index, address, nonce: '', relayed: undefined })
    }
  }

  get peerAddress(): TransportAddress {
    return this.#peer.local
  }

  /** Allocate and ChannelBind for every flow; the seconds that it took. */
  setUp(parallel = 32): number {
    const { user, password, isDirect } = this.#options
    if (isDirect === true) {
      for (const flow of this.#flows) flow.relayed = flow.address.withPort(this.#client.local.port)
      return 0
    }
    if (this.#options.isBare === true) return this.#setUpBare()
    const start = performance.now()
    let next = 0
    let done = 0
    let lastProgress = performance.now()
    const pending = new Map<string, { flow: Flow; bytes: Uint8Array; at: number; step: number }>()
    const ask = (flow: Flow, step: number) => {
      const method: MethodName = step < 2 ? 'Allocate' : 'ChannelBind'
      const attributes: Attribute[] =
        step < 2
          ? [['REQUESTED-TRANSPORT', 17]]
          : [
              ['CHANNEL-NUMBER', channel],
              ['XOR-PEER-ADDRESS', this.#peer.local],
            ]
      const transactionId = crypto.getRandomValues(new Uint8Array(12))
      const signed: Attribute[] =
        step === 0
          ? attributes
          : [...attributes, ['USERNAME', user], ['REALM', this.realm], ['NONCE', flow.nonce]]
      const bytes = encodeMessage(
        { class: 'request', method, transactionId, attributes: signed },
        step === 0 ? {} : { integrity: [{ algorithm: 'sha1', key: this.#key }] },
      )
      pending.set(Buffer.from(transactionId).toString('hex'), { flow, bytes, at: performance.now(), step })
      this.#client.sendOne(bytes, this.#options.server, flow.address)
    }
    const answer = (message: Message) => {
      const id = Buffer.from(message.transactionId).toString('hex')
      const asked = pending.get(id)
      if (asked === undefined) return
      pending.delete(id)
      lastProgress = performance.now()
      const { flow, step } = asked
      if (step === 0) {
        flow.nonce = message.get('NONCE') ?? ''
        if (this.realm === '') {
          this.realm = message.get('REALM') ?? ''
          this.#key.set(longTermKey(user, this.realm, password))
        }
        ask(flow, 1)
      } else if (message.class === 'error') {
        const code = message.get('ERROR-CODE')?.code
        if (code !== 438) throw new Error(`step ${step}: error ${code}`)
        flow.nonce = message.get('NONCE') ?? ''
        ask(flow, step)
      } else if (step === 1) {
        flow.relayed = message.get('XOR-RELAYED-ADDRESS')
        ask(flow, 2)
      } else done++
    }
    while (done < this.#flows.length) {
      while (next < this.#flows.length && pending.size < parallel) ask(this.#flows[next++]!, 0)
      this.#client.receive((_source, at, length) => {
        const message = decodeMessage(this.#arena.bytes.slice(at, at + length))
        if (typeof message !== 'string') answer(message)
      })
      const now = performance.now()
      for (const entry of pending.values()) {
        if (now - entry.at < 500) continue
        entry.at = now
        this.#client.sendOne(entry.bytes, this.#options.server, entry.flow.address)
      }
      if (now - lastProgress > 10_000) throw new Error(`no answers: ${done} of ${this.#flows.length} set up`)
    }
    return (performance.now() - start) / 1000
  }

  /** One flow after the other. */
  #setUpBare(): number {
    const start = performance.now()
    const { port } = this.#peer.local
    const ask = Uint8Array.of(127, 0, 0, 1, port >> 8, port & 255)
    for (const flow of this.#flows) {
      this.#client.sendOne(ask, this.#options.server, flow.address)
      while (flow.relayed === undefined && performance.now() - start < 10_000) {
        this.#client.receive((_source, at) => {
          const [high = 0, low = 0] = this.#arena.bytes.subarray(at)
          flow.relayed = this.#options.server.withPort((high << 8) | low)
        })
      }
      if (flow.relayed === undefined) throw new Error('no answer of the forwarder')
    }
    return (performance.now() - start) / 1000
  }

  run(options: TrafficOptions): TrafficResult {
    const { direction, burst, seconds, rate, packets = Number.POSITIVE_INFINITY } = options
    const window = options.window ?? 1024
    const { payload, isDirect = false, isBare = false } = this.#options
    const server = isDirect ? this.#peer.local : this.#options.server
    const headerBytes = isDirect || isBare ? 0 : 4
    const up = direction !== 'down' ? this.#client.prepare(batch, headerBytes + payload) : undefined
    const down = direction !== 'up' ? this.#peer.prepare(batch, payload) : undefined
    const latencies = new Float64Array(1 << 20)
    let samples = 0
    let sent = 0
    let received = 0
    let cursor = 0
    const bytes = this.#arena.bytes
    const stamp = new Float64Array(1)
    const stampBytes = new Uint8Array(stamp.buffer)
    const read = new Float64Array(1)
    const readBytes = new Uint8Array(read.buffer)
    const start = performance.now()
    const onPacket = (at: number) => {
      for (let i = 0; i < 8; i++) readBytes[i] = bytes[at + i]!
      // What a run before this one has sent is not of this one.
      if (read[0]! < start) return
      received++
      lastArrival = now
      if ((received & 15) !== 0) return
      latencies[samples++ & (latencies.length - 1)] = performance.now() - read[0]!
    }
    const onPeer = (_source: MutableAddressWords, at: number) => onPacket(at)
    const onClient = (_source: MutableAddressWords, at: number) => onPacket(at + headerBytes)
    const end = start + seconds * 1000
    let now = start
    let lastArrival = start
    /** What was lost on the way is not under way any more. */
    let lost = 0
    let isUp = up !== undefined
    while (now < end && received < packets) {
      now = performance.now()
      if (now - lastArrival > lossAfterMs) lost = sent - received
      const allowed =
        rate > 0
          ? Math.min(batch, Math.floor(((now - start) * rate) / 1000) - sent)
          : Math.min(batch, window - (sent - received - lost))
      if (allowed > 0) {
        stamp[0] = now
        if (direction === 'both') isUp = !isUp
        const out = isUp ? up! : down!
        for (let i = 0; i < allowed; i++) {
          const flow = this.#flows[Math.floor(cursor / burst) % this.#flows.length]!
          cursor++
          const at = out.payload(i)
          let offset = at
          if (isUp) {
            if (headerBytes > 0) {
              bytes[offset++] = channel >> 8
              bytes[offset++] = channel & 255
              bytes[offset++] = payload >> 8
              bytes[offset++] = payload & 255
            }
            out.address(i, server, flow.address)
          } else out.address(i, flow.relayed!, undefined)
          for (let k = 0; k < 8; k++) bytes[offset + k] = stampBytes[k]!
        }
        sent += out.send(allowed)
      }
      if (up !== undefined) while (this.#peer.receive(onPeer) === batch);
      if (down !== undefined) while (this.#client.receive(onClient) === batch);
    }
    const stopped = performance.now()
    while (received < sent && performance.now() - stopped < 300) {
      this.#peer.receive(onPeer)
      this.#client.receive(onClient)
    }
    const sorted = latencies.subarray(0, Math.min(samples, latencies.length)).sort()
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1000
    return { sent, received, seconds: (stopped - start) / 1000, p50: at(0.5), p99: at(0.99) }
  }

  /** Refresh with lifetime 0 for every flow, unanswered. */
  release(): void {
    if (this.#options.isDirect === true || this.#options.isBare === true) return
    for (const flow of this.#flows) {
      const bytes = encodeMessage(
        {
          class: 'request',
          method: 'Refresh',
          transactionId: crypto.getRandomValues(new Uint8Array(12)),
          attributes: [
            ['LIFETIME', 0],
            ['USERNAME', this.#options.user],
            ['REALM', this.realm],
            ['NONCE', flow.nonce],
          ],
        },
        { integrity: [{ algorithm: 'sha1', key: this.#key }] },
      )
      this.#client.sendOne(bytes, this.#options.server, flow.address)
      this.#client.receive(() => {})
    }
  }

  close(): void {
    this.#client.close()
    this.#peer.close()
  }
}

export interface Outgoing {
  length(i: number, length: number): void
  payload(i: number): number
  address(i: number, destination: TransportAddress, from: TransportAddress | undefined): void
  send(count: number): number
}

/** A UDP socket that sends and receives in batches. */
export class Endpoint {
  readonly #libc: Libc
  readonly #arena: Arena
  readonly #fd: number
  readonly #messages: number
  readonly #slots: number
  readonly #names: number
  readonly #messagesPointer: bigint
  readonly #source: MutableAddressWords = { a: 0, b: 0, c: 0, d: 0, port: 0 }
  readonly #one: Outgoing
  readonly local: TransportAddress
  readonly #hasSource: boolean

  constructor(libc: Libc, arena: Arena, address: TransportAddress, hasSource: boolean) {
    this.#libc = libc
    this.#arena = arena
    this.#hasSource = hasSource
    this.#fd = libc.socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0)
    const scratch = arena.take(64)
    const size = 8 * 1024 * 1024
    arena.words[scratch >> 2] = size
    libc.setsockopt(this.#fd, c.SOL_SOCKET, c.SO_RCVBUFFORCE, arena.pointer(scratch), 4)
    libc.setsockopt(this.#fd, c.SOL_SOCKET, c.SO_SNDBUFFORCE, arena.pointer(scratch), 4)
    const length = writeSocketAddress(arena.words, scratch >> 2, address)
    if (libc.bind(this.#fd, arena.pointer(scratch), length) < 0) throw new Error(errnoName(libc.errno()))
    arena.words[(scratch + 32) >> 2] = 32
    libc.getsockname(this.#fd, arena.pointer(scratch), arena.pointer(scratch + 32))
    readSocketAddress(arena.words, scratch >> 2, this.#source)
    this.local = TransportAddress.from({ ...this.#source })
    this.#messages = arena.take(batch * mmsghdr.size)
    this.#slots = arena.take(batch * slotBytes)
    this.#names = arena.take(batch * socketAddressBytes)
    const iovs = arena.take(batch * iovec.size)
    for (let i = 0; i < batch; i++) {
      const message = this.#messages + i * mmsghdr.size
      arena.setPointer(message + msghdr.name, this.#names + i * socketAddressBytes)
      arena.words[(message + msghdr.nameLength) >> 2] = socketAddressBytes
      arena.setPointer(message + msghdr.iov, iovs + i * iovec.size)
      arena.words[(message + msghdr.iovLength) >> 2] = 1
      arena.setPointer(iovs + i * iovec.size, this.#slots + i * slotBytes)
      arena.words[(iovs + i * iovec.size + iovec.length) >> 2] = slotBytes
    }
    this.#messagesPointer = arena.pointer(this.#messages)
    this.#one = this.prepare(1, slotBytes)
  }

  receive(handle: (source: MutableAddressWords, at: number, length: number) => void): number {
    const count = this.#libc.recvmmsg(this.#fd, this.#messagesPointer, batch, c.MSG_DONTWAIT, 0n)
    for (let i = 0; i < count; i++) {
      const length = this.#arena.words[(this.#messages + i * mmsghdr.size + mmsghdr.length) >> 2]!
      handle(this.#source, this.#slots + i * slotBytes, length)
    }
    return count
  }

  prepare(count: number, length: number): Outgoing {
    const arena = this.#arena
    const messages = arena.take(count * mmsghdr.size)
    const slots = arena.take(count * slotBytes)
    const names = arena.take(count * socketAddressBytes)
    const iovs = arena.take(count * iovec.size)
    const controls = arena.take(count * 32)
    for (let i = 0; i < count; i++) {
      const message = messages + i * mmsghdr.size
      const iov = iovs + i * iovec.size
      arena.setPointer(message + msghdr.name, names + i * socketAddressBytes)
      arena.setPointer(message + msghdr.iov, iov)
      arena.words[(message + msghdr.iovLength) >> 2] = 1
      arena.setPointer(iov, slots + i * slotBytes)
      arena.words[(iov + iovec.length) >> 2] = length
      if (this.#hasSource) {
        const control = controls + i * 32
        arena.setPointer(message + msghdr.control, control)
        arena.words[(message + msghdr.controlLength) >> 2] = 32
        arena.words[control >> 2] = cmsghdr.size + 12
        arena.words[(control + cmsghdr.type) >> 2] = 8
      }
    }
    const pointer = arena.pointer(messages)
    return {
      length: (i, bytes) => {
        arena.words[(iovs + i * iovec.size + iovec.length) >> 2] = bytes
      },
      payload: (i) => slots + i * slotBytes,
      address: (i, destination, from) => {
        const message = messages + i * mmsghdr.size
        arena.words[(message + msghdr.nameLength) >> 2] = writeSocketAddress(
          arena.words,
          (names + i * socketAddressBytes) >> 2,
          destination,
        )
        // struct in_pktinfo: interface, the address to send from, the header's destination.
        if (from !== undefined) {
          const { d } = from
          const swapped = (d << 24) | ((d & 0xff00) << 8) | ((d >>> 8) & 0xff00) | (d >>> 24)
          arena.words[(controls + i * 32 + cmsghdr.data + 4) >> 2] = swapped
        }
      },
      send: (n) => {
        let done = 0
        while (done < n) {
          const sent = this.#libc.sendmmsg(
            this.#fd,
            done === 0 ? pointer : arena.pointer(messages + done * mmsghdr.size),
            n - done,
            0,
          )
          if (sent < 0) {
            const code = this.#libc.errno()
            if (code !== 11) throw new Error(errnoName(code))
            break
          }
          done += sent
        }
        return done
      },
    }
  }

  sendOne(bytes: Uint8Array, destination: TransportAddress, from: TransportAddress): void {
    const at = this.#one.payload(0)
    this.#arena.bytes.set(bytes, at)
    this.#one.address(0, destination, from)
    this.#one.length(0, bytes.length)
    this.#one.send(1)
  }

  close(): void {
    this.#libc.close(this.#fd)
  }
}

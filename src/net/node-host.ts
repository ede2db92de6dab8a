/** The real machine, as a Host: Node's sockets, clock, random numbers and interfaces. */

import { randomBytes, randomFillSync } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import type {
  Clock,
  DnsAnswer,
  DnsQuery,
  Host,
  InterfaceAddress,
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  UdpBindOptions,
  UdpHandlers,
  UdpSocket,
} from '../core/host.ts'
import type { Random } from '../core/random.ts'
import { type EpochSeconds, instant } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { resolveDns } from './dns.ts'
import { sourceFor } from './source-address.ts'
import { connectTcp } from './tcp-connect.ts'
import { listenTcp } from './tcp-listen.ts'
import { bindDgram } from './udp-dgram.ts'

/** Node turns a longer delay into one millisecond. */
const longestDelayMs = 2 ** 31 - 1

/** performance.now() starts with its thread; with this added, all threads of a process agree. */
const threadOffset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Monotonic, and read once per packet: it makes no object. */
export const nodeClock: Clock = {
  now: () => instant(performance.now() + threadOffset),
  epochSeconds: () => Math.floor(Date.now() / 1000) as EpochSeconds,
  schedule: (at, callback) => {
    // setTimeout takes a millisecond for what is due now.
    if (at <= nodeClock.now()) {
      const immediate = setImmediate(callback)
      return () => clearImmediate(immediate)
    }
    let timer: NodeJS.Timeout
    // A timer of Node may fire a fraction of a millisecond early, and its longest delay is bounded.
    const arm = () => {
      timer = setTimeout(() => (nodeClock.now() < at ? arm() : callback()), clampDelay(at - nodeClock.now()))
    }
    arm()
    return () => clearTimeout(timer)
  },
}

/** Asking the system costs more than most of what is asked for: it is asked for so much at a time. */
const randomPool = new Uint8Array(4096)
let randomUsed = randomPool.length

/** From the system's generator. Every byte is given out once, and not kept. */
export const nodeRandom: Random = {
  bytes: (length) => {
    if (length > randomPool.length / 8) return new Uint8Array(randomBytes(length))
    if (randomUsed + length > randomPool.length) {
      randomFillSync(randomPool)
      randomUsed = 0
    }
    const bytes = randomPool.slice(randomUsed, randomUsed + length)
    randomPool.fill(0, randomUsed, randomUsed + length)
    randomUsed += length
    return bytes
  },
}

export class NodeHost implements Host {
  readonly clock = nodeClock
  readonly random = nodeRandom

  bindUdp(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket {
    return bindDgram(options, handlers)
  }

  listenTcp(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener {
    return listenTcp(options, handlers)
  }

  connectTcp(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket {
    return connectTcp(options, handlers)
  }

  resolve(query: DnsQuery, callback: (answer: DnsAnswer) => void): () => void {
    return resolveDns(query, callback)
  }

  sourceFor(remote: TransportAddress): TransportAddress | undefined {
    return sourceFor(remote)
  }

  interfaces(): readonly InterfaceAddress[] {
    return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
      (addresses ?? []).map(({ address, internal, cidr }) => ({
        name,
        address: TransportAddress.of(address, 0),
        internal,
        prefixLength: Number(cidr?.split('/')[1] ?? 0),
      })),
    )
  }
}

/** Rounded up, so that a timer never comes before the time it was set for. */
function clampDelay(milliseconds: number): number {
  return Math.min(Math.max(Math.ceil(milliseconds), 0), longestDelayMs)
}

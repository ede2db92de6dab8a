/** What two ICE sides say to each other, as the packets show it: checks and user data, whatever they are wrapped in. */

import type { Internet } from '../../src/sim/internet.ts'
import type { Packet } from '../../src/sim/packet.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'

/** A check as it went by. */
export interface SeenCheck {
  readonly at: number
  /** The name of the host. */
  readonly from: string
  /** Where it went: both addresses of the packet, and its channel or peer if it goes through a relay. */
  readonly path: string
  readonly isNew: boolean
  readonly isNomination: boolean
  /** Without what it was wrapped in. */
  readonly bytes: Uint8Array
}

export interface SeenData {
  readonly at: number
  readonly from: string
}

export class WireRecord {
  readonly checks: SeenCheck[] = []
  readonly data: SeenData[] = []
  readonly #known = new Set<string>()

  constructor(internet: Internet) {
    internet.watch(({ at, place, fate, packet }) => {
      if (fate === 'sent' && packet.protocol === 'udp') this.#add(at, place, packet)
    })
  }

  /** New checks of a host since then, of each path by itself, the busiest first. */
  pathsOf(host: string, since: number): readonly (readonly SeenCheck[])[] {
    const own = this.checks.filter(({ from, at, isNew }) => from === host && at >= since && isNew)
    return [...Map.groupBy(own, ({ path }) => path).values()].sort((x, y) => y.length - x.length)
  }

  #add(at: number, from: string, packet: Packet): void {
    const bytes = unwrapped(packet.bytes)
    if (bytes === undefined || bytes.length === 0) return
    if (bytes[0]! > 3) {
      this.data.push({ at, from })
      return
    }
    const message = decodeMessage(bytes)
    if (typeof message === 'string' || !isCheck(message)) return
    const id = message.transactionId.join()
    this.checks.push({
      at,
      from,
      path: `${packet.source} ${packet.destination} ${wrappingOf(packet.bytes)}`,
      isNew: !this.#known.has(id),
      isNomination: message.has('USE-CANDIDATE'),
      bytes,
    })
    this.#known.add(id)
  }
}

function isCheck(message: Message): boolean {
  return message.class === 'request' && message.method === 'Binding' && message.has('USERNAME')
}

/** What is in ChannelData, or in a Send or Data indication; the packet itself if it is neither. */
function unwrapped(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 4) return bytes
  if (bytes[0]! >> 6 === 1) return bytes.subarray(4, 4 + bytes[2]! * 256 + bytes[3]!)
  const message = decodeMessage(bytes)
  return typeof message !== 'string' && message.class === 'indication' ? message.get('DATA') : bytes
}

function wrappingOf(bytes: Uint8Array): string {
  if (bytes[0]! >> 6 === 1) return `channel ${bytes[0]! * 256 + bytes[1]!}`
  const message = decodeMessage(bytes)
  const peer = typeof message === 'object' ? message.get('XOR-PEER-ADDRESS') : undefined
  return `${peer ?? 'direct'}`
}

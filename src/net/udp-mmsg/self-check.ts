/**
 * Whether the driver works on this machine, shown by two sockets of loopback that talk to each other through it: a run
 * of packets, which is to arrive as it was sent, from where it was sent. A structure that is laid out otherwise, a
 * system call that is filtered, a kernel that does it half: all of that shows here, before there are clients.
 */

import { type Datagram, socketId } from '../../core/sans-io.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import type { MmsgDriver } from './mmsg-driver.ts'

const sender = socketId(0xfffe)
const receiver = socketId(0xffff)

/** A run of equal ones with a shorter one at its end, then one by itself. */
const lengths = [300, 300, 300, 120, 700] as const

/** Limit: turns that it may take. Loopback delivers at once. */
const mostTurns = 100

export interface SelfCheck {
  /** Why the driver is of no use here; undefined when it works. */
  readonly fault: string | undefined
  /** Whether runs of packets left as one message. */
  readonly hasSegmentation: boolean
  /** Whether they arrived as one, too. */
  readonly hasCoalescing: boolean
}

export function selfCheck(driver: MmsgDriver): SelfCheck {
  const addresses = new Map<number, TransportAddress>()
  const received: { readonly source: TransportAddress; readonly bytes: Uint8Array }[] = []
  let fault: string | undefined
  driver.handlers = {
    bound: (socket, local) => addresses.set(socket, local),
    bindFailed: (_socket, reason) => {
      fault = `binding a socket: ${reason}`
    },
    datagram: ({ source, bytes, start, end }: Datagram) => {
      received.push({ source: TransportAddress.from(source), bytes: bytes.slice(start, end) })
    },
    icmp: () => {},
    sendFailed: () => {},
  }
  const { sentMessages, coalesced } = driver.counters
  for (const socket of [sender, receiver]) driver.bind(socket, TransportAddress.of('127.0.0.1', 0))
  turnUntil(driver, () => addresses.size === 2 || fault !== undefined)
  const from = addresses.get(sender)
  const to = addresses.get(receiver)
  if (from !== undefined && to !== undefined) {
    for (const [i, length] of lengths.entries()) driver.transmit(sender, to, packet(i, length))
    turnUntil(driver, () => received.length >= lengths.length)
    fault ??= faultOf(received, from)
  } else fault ??= 'sockets are not bound'
  for (const socket of [sender, receiver]) driver.close(socket)
  driver.run(0)
  return {
    fault,
    hasSegmentation: driver.counters.sentMessages - sentMessages < lengths.length,
    hasCoalescing: driver.counters.coalesced > coalesced,
  }
}

function faultOf(
  received: readonly { readonly source: TransportAddress; readonly bytes: Uint8Array }[],
  from: TransportAddress,
): string | undefined {
  if (received.length !== lengths.length) return `${received.length} of ${lengths.length} packets arrive`
  for (const [i, { source, bytes }] of received.entries()) {
    if (!source.equals(from)) return 'packets arrive with a wrong source'
    const sent = packet(i, lengths[i]!)
    if (bytes.length !== sent.length || bytes.some((byte, k) => byte !== sent[k]))
      return 'packets arrive damaged'
  }
  return undefined
}

function packet(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (number * 31 + i) & 255)
}

function turnUntil(driver: MmsgDriver, isDone: () => boolean): void {
  for (let turn = 0; turn < mostTurns && !isDone(); turn++) driver.run(0)
}

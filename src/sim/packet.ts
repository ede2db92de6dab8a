/** What travels on the simulated internet. A packet has one owner at a time, who may rewrite its addresses. */

import { isIPv4 } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'

/** Numbers as in the IP header. */
export const protocols = { icmp: 1, tcp: 6, udp: 17 } as const
export type ProtocolName = keyof typeof protocols

export const defaultHops = 64

/** A TCP segment without its payload. Sequence numbers do not wrap here. */
export interface Segment {
  readonly syn: boolean
  readonly ack: boolean
  readonly fin: boolean
  readonly rst: boolean
  readonly sequence: number
  readonly acknowledgment: number
  readonly window: number
}

export type IcmpReason =
  | 'port-unreachable'
  | 'host-unreachable'
  | 'prohibited'
  | 'time-exceeded'
  | 'packet-too-big'

/** Which packet an ICMP error is about, addressed as the one who reports it saw it. */
export interface IcmpError {
  readonly reason: IcmpReason
  readonly protocol: ProtocolName
  source: TransportAddress
  destination: TransportAddress
}

export class Packet {
  readonly protocol: ProtocolName
  source: TransportAddress
  destination: TransportAddress
  /** The time-to-live, or hop limit. */
  hops = defaultHops
  /** The payload of UDP or TCP. Replaced, never written into. */
  bytes: Uint8Array
  readonly segment: Segment | undefined
  readonly error: IcmpError | undefined

  constructor(
    protocol: ProtocolName,
    source: TransportAddress,
    destination: TransportAddress,
    bytes: Uint8Array,
    segment?: Segment,
    error?: IcmpError,
  ) {
    this.protocol = protocol
    this.source = source
    this.destination = destination
    this.bytes = bytes
    this.segment = segment
    this.error = error
  }

  /** Bytes on the wire, IP header included. */
  get size(): number {
    const transport = this.protocol === 'tcp' ? 20 : 8
    return (isIPv4(this.source) ? 20 : 40) + transport + this.bytes.length
  }

  clone(): Packet {
    const { protocol, source, destination, bytes, segment, error } = this
    const copy = new Packet(protocol, source, destination, bytes, segment, error && { ...error })
    copy.hops = this.hops
    return copy
  }

  /** The ICMP error that reports this packet; undefined for an error, which is never reported. */
  report(reason: IcmpReason, reporter: TransportAddress): Packet | undefined {
    if (this.protocol === 'icmp') return undefined
    const error = { reason, protocol: this.protocol, source: this.source, destination: this.destination }
    return new Packet('icmp', reporter, this.source.withPort(0), noBytes, undefined, error)
  }

  /** The segment that refuses this one, as a firewall sends it; undefined for anything that has to go unanswered. */
  reset(): Packet | undefined {
    const { segment } = this
    if (segment === undefined || segment.rst) return undefined
    return new Packet('tcp', this.destination, this.source, noBytes, {
      syn: false,
      ack: true,
      fin: false,
      rst: true,
      sequence: segment.acknowledgment,
      acknowledgment: segment.sequence + this.bytes.length + (segment.syn ? 1 : 0) + (segment.fin ? 1 : 0),
      window: 0,
    })
  }
}

export const noBytes = new Uint8Array(0)

/** What a load is made of, and what traffic that will be: told before any of it is sent. */

import { channelDataHeaderBytes } from '../turn/channel-data.ts'

export type LoadDirection = 'up' | 'down' | 'both'

export interface LoadPlan {
  /** Allocations, each with a channel to the peer. */
  readonly flows: number
  /** Bytes of payload of each packet. */
  readonly size: number
  /** Packets a second in all; undefined: as many as come back. */
  readonly rate: number | undefined
  /** `up`: from clients to the peer; `down`: from the peer to clients. */
  readonly direction: LoadDirection
  /** Packets that a flow sends in a row: 1 interleaves all flows. */
  readonly burst: number
  /** Of traffic; 0: allocations only. */
  readonly seconds: number
}

/** Limit: the first bytes of a payload say when it was sent. */
export const smallestPayload = 16
/** Limit: a jumbo frame. What is larger than the path leaves in fragments. */
export const largestPayload = 9000
/** Limit: ports of this machine, for clients and, on loopback, for relays too. */
export const mostFlows = 20_000
/** What a flow sends in a row unless they are interleaved. */
export const longestBurst = 32

/** Packets under way at most where there is no rate: what the system's buffers hold of any server. */
export const windowPackets = 1024

const headers = { ipv4: 20, udp: 8 } as const

export interface Forecast {
  /** undefined: as many as come back. */
  readonly packets: number | undefined
  readonly payloadBytes: number | undefined
  /** On each of the two ways, client to server and server to peer, with headers of IPv4 and UDP. */
  readonly bitsPerSecond: number | undefined
}

export function forecastOf({ size, rate, seconds }: LoadPlan): Forecast {
  if (seconds === 0) return { packets: 0, payloadBytes: 0, bitsPerSecond: 0 }
  if (rate === undefined) return { packets: undefined, payloadBytes: undefined, bitsPerSecond: undefined }
  const packets = Math.round(rate * seconds)
  const onWire = size + channelDataHeaderBytes + headers.udp + headers.ipv4
  return { packets, payloadBytes: packets * size, bitsPerSecond: rate * onWire * 8 }
}

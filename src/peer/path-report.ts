/** The path that a connection takes, and how well, from its statistics. */

import type { CandidateStats } from '../ice/stats.ts'
import type { PeerConnection } from './peer-connection.ts'
import type { RTCInboundRtpStreamStats, RTCStats } from './werift.ts'

export interface PathReport {
  /** Whether a TURN server is on the path, at either end. */
  readonly isRelayed: boolean
  readonly local: string
  readonly remote: string
  readonly localType: string
  readonly remoteType: string
  readonly protocol: string
  readonly roundTripMs: number | undefined
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly packetsReceived: number
  /** Of media: as their sequence numbers tell. */
  readonly packetsLost: number
}

export async function pathOf(connection: PeerConnection): Promise<PathReport | undefined> {
  const { pairs, candidates } = connection.iceStats()
  const pair = pairs.find(({ nominated, state }) => nominated && state === 'succeeded')
  if (pair === undefined) return undefined
  const local = candidates.find(({ id }) => id === pair.localCandidateId)
  const remote = candidates.find(({ id }) => id === pair.remoteCandidateId)
  const inbound = [...(await connection.getStats()).values()].filter(isInbound)
  const sum = (name: 'packetsReceived' | 'packetsLost') =>
    inbound.reduce((total, stream) => total + (stream[name] ?? 0), 0)
  const rtt = pair.currentRoundTripTime
  return {
    isRelayed: local?.candidateType === 'relay' || remote?.candidateType === 'relay',
    local: addressOf(local),
    remote: addressOf(remote),
    localType: local?.candidateType ?? 'unknown',
    remoteType: remote?.candidateType ?? 'unknown',
    protocol: local?.relayProtocol ?? local?.protocol ?? 'udp',
    roundTripMs: rtt === undefined ? undefined : rtt * 1000,
    bytesSent: pair.bytesSent,
    bytesReceived: pair.bytesReceived,
    packetsReceived: sum('packetsReceived'),
    packetsLost: sum('packetsLost'),
  }
}

function isInbound(entry: RTCStats): entry is RTCInboundRtpStreamStats {
  return entry.type === 'inbound-rtp'
}

function addressOf(candidate: CandidateStats | undefined): string {
  const host = candidate?.address ?? '?'
  return `${host.includes(':') ? `[${host}]` : host}:${candidate?.port ?? '?'}`
}

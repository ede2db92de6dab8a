/** What can be told of pairs and candidates: in short, and as W3C's statistics have it (webrtc-stats §8.17, §8.18). */

import type { Instant } from '../core/time.ts'
import type { CandidateDescription, LocalCandidate, RemoteCandidate } from './candidate.ts'
import type { CandidatePair, PairFailure, PairState } from './candidate-pair.ts'
import type { Generation } from './generation.ts'
import type { PairSummary } from './outputs.ts'
import { priorityAsBigInt } from './pair-priority.ts'

export function summaryOf(pair: CandidatePair): PairSummary {
  return {
    id: pair.id,
    stream: pair.stream,
    component: pair.component,
    local: pair.mapped ?? pair.local,
    remote: pair.remote,
    state: pair.state,
    isNominated: pair.isNominated,
    priority: priorityAsBigInt(pair.priority),
    rttMs: pair.rttMs,
    failure: pair.failure,
    failureDetail: pair.failureDetail,
  }
}

/** RTCIceCandidatePairStats. Round-trip times in seconds, as W3C has them; timestamps in ms of the agent's clock. */
export interface CandidatePairStats {
  readonly id: string
  readonly type: 'candidate-pair'
  readonly transportId: string
  readonly localCandidateId: string
  readonly remoteCandidateId: string
  readonly state: PairState
  readonly nominated: boolean
  readonly writable: boolean
  readonly priority: bigint
  readonly packetsSent: number
  readonly packetsReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly packetsDiscardedOnSend: number
  readonly bytesDiscardedOnSend: number
  readonly lastPacketSentTimestamp: Instant | undefined
  readonly lastPacketReceivedTimestamp: Instant | undefined
  readonly totalRoundTripTime: number
  readonly currentRoundTripTime: number | undefined
  readonly requestsReceived: number
  readonly requestsSent: number
  readonly responsesReceived: number
  readonly responsesSent: number
  readonly consentRequestsSent: number
  readonly retransmissionsSent: number
  readonly consentExpiredTimestamp: Instant | undefined
  /** Beyond W3C: why the pair failed. */
  readonly failure: PairFailure | undefined
  readonly failureDetail: string | undefined
}

/** RTCIceCandidateStats. */
export interface CandidateStats {
  readonly id: string
  readonly type: 'local-candidate' | 'remote-candidate'
  readonly transportId: string
  /** Undefined where the candidate was signalled by a name, which keeps its address from the application. */
  readonly address: string | undefined
  readonly port: number
  readonly protocol: 'udp' | 'tcp'
  readonly candidateType: CandidateDescription['type']
  readonly priority: number
  readonly foundation: string
  readonly relatedAddress: string | undefined
  readonly relatedPort: number | undefined
  readonly usernameFragment: string | undefined
  readonly tcpType: CandidateDescription['tcpType']
  readonly relayProtocol: LocalCandidate['relayProtocol']
  readonly url: string | undefined
}

export interface IceStats {
  readonly pairs: readonly CandidatePairStats[]
  readonly candidates: readonly CandidateStats[]
}

export function statsOf(generation: Generation, now: Instant): IceStats {
  const { ufrag } = generation.credentials
  return {
    pairs: [...generation.set.pairs()].map((pair) => pairStats(pair, now)),
    candidates: [
      ...generation.locals.map((local) => localStats(local, ufrag)),
      ...generation.remotes.map((remote) => remoteStats(remote, generation.remote?.ufrag)),
    ],
  }
}

function pairStats(pair: CandidatePair, now: Instant): CandidatePairStats {
  const { counters } = pair
  return {
    id: pair.id,
    type: 'candidate-pair',
    transportId: transportId(pair),
    localCandidateId: (pair.mapped ?? pair.local).id,
    remoteCandidateId: pair.remote.id,
    state: pair.state,
    nominated: pair.isNominated,
    writable: pair.isValid && (pair.consentUntil ?? now) > now,
    priority: priorityAsBigInt(pair.priority),
    packetsSent: counters.packetsSent,
    packetsReceived: counters.packetsReceived,
    bytesSent: counters.bytesSent,
    bytesReceived: counters.bytesReceived,
    packetsDiscardedOnSend: counters.packetsDiscardedOnSend,
    bytesDiscardedOnSend: counters.bytesDiscardedOnSend,
    lastPacketSentTimestamp: counters.lastPacketSentAt,
    lastPacketReceivedTimestamp: counters.lastPacketReceivedAt,
    totalRoundTripTime: counters.totalRoundTripMs / 1000,
    currentRoundTripTime:
      counters.currentRoundTripMs === undefined ? undefined : counters.currentRoundTripMs / 1000,
    requestsReceived: counters.requestsReceived,
    requestsSent: counters.requestsSent,
    responsesReceived: counters.responsesReceived,
    responsesSent: counters.responsesSent,
    consentRequestsSent: counters.consentRequestsSent,
    retransmissionsSent: counters.retransmissionsSent,
    consentExpiredTimestamp: counters.consentExpiredAt,
    failure: pair.failure,
    failureDetail: pair.failureDetail,
  }
}

function localStats(local: LocalCandidate, usernameFragment: string): CandidateStats {
  return {
    ...candidateStats(local),
    type: 'local-candidate',
    address: local.address.ip,
    usernameFragment,
    relayProtocol: local.relayProtocol,
    url: local.url,
  }
}

function remoteStats(remote: RemoteCandidate, usernameFragment: string | undefined): CandidateStats {
  return {
    ...candidateStats(remote),
    type: 'remote-candidate',
    address: remote.name === undefined ? remote.address.ip : undefined,
    usernameFragment: remote.ufrag ?? usernameFragment,
    relayProtocol: undefined,
    url: undefined,
  }
}

function candidateStats(candidate: LocalCandidate | RemoteCandidate) {
  return {
    id: candidate.id,
    transportId: transportId(candidate),
    port: candidate.address.port,
    protocol: candidate.protocol,
    candidateType: candidate.type,
    priority: candidate.priority,
    foundation: candidate.foundation,
    relatedAddress: candidate.related?.ip,
    relatedPort: candidate.related?.port,
    tcpType: candidate.tcpType,
  }
}

function transportId({ stream, component }: { readonly stream: number; readonly component: number }): string {
  return `T${stream}.${component}`
}

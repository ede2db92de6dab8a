/** Candidates and pairs of our ICE as werift writes them, and back. */

import { TransportAddress } from '../core/transport-address.ts'
import type { CandidateDescription, CandidateType, TcpType } from '../ice/candidate.ts'
import type { CandidatePairStats, CandidateStats, IceStats } from '../ice/stats.ts'
import { Candidate, type CandidatePair, CandidatePairState } from './werift.ts'

export function candidateOf(description: CandidateDescription, generation: number, ufrag: string): Candidate {
  const { foundation, component, protocol, priority, address, type, related, tcpType } = description
  const host = 'name' in address ? address.name : address.ip
  return new Candidate(
    foundation,
    component,
    protocol,
    priority,
    host,
    address.port,
    type,
    related?.ip,
    related?.port,
    tcpType,
    generation,
    ufrag,
  )
}

const types: readonly string[] = ['host', 'srflx', 'prflx', 'relay']
const tcpTypes: readonly unknown[] = ['active', 'passive', 'so']

export function descriptionOf(candidate: Candidate): CandidateDescription | undefined {
  const { component, priority, host, port, type, tcptype, ufrag } = candidate
  const protocol = candidate.transport.toLowerCase()
  if ((protocol !== 'udp' && protocol !== 'tcp') || !types.includes(type)) return undefined
  const address = addressOf(host, port)
  if (address === undefined) return undefined
  return {
    foundation: candidate.foundation.replace(/^candidate:/, ''),
    component,
    protocol,
    priority,
    address,
    type: type as CandidateType,
    tcpType: tcpTypes.includes(tcptype) ? (tcptype as TcpType) : undefined,
    ufrag,
  }
}

function addressOf(host: string, port: number): CandidateDescription['address'] | undefined {
  if (host.endsWith('.local')) return { name: host, port }
  try {
    return TransportAddress.of(host, port)
  } catch {
    return undefined
  }
}

const pairStates: Readonly<Record<CandidatePairStats['state'], CandidatePairState>> = {
  frozen: CandidatePairState.FROZEN,
  waiting: CandidatePairState.WAITING,
  'in-progress': CandidatePairState.IN_PROGRESS,
  succeeded: CandidatePairState.SUCCEEDED,
  failed: CandidatePairState.FAILED,
}

/** A pair as werift's statistics read it: without what is for its own checks and sockets. */
type ReadOfPair = Omit<
  CandidatePair,
  | ('protocol' | 'iceControlling' | 'handle' | 'remoteNominated' | 'updateState' | 'noteIncomingRequest')
  | ('remoteAddr' | 'component' | 'priority' | 'foundation' | 'toJSON' | 'json')
>

/** Our pairs with the fields that werift's statistics read; `known` are the candidates that it lists beside them. */
export function pairsOf({ pairs, candidates }: IceStats, known: readonly Candidate[]): CandidatePair[] {
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]))
  const candidateWith = (id: string) => statsCandidate(byId.get(id), known)
  return pairs.map((pair) => {
    const fields: ReadOfPair = {
      id: pair.id,
      nominated: pair.nominated,
      state: pairStates[pair.state],
      localCandidate: candidateWith(pair.localCandidateId),
      remoteCandidate: candidateWith(pair.remoteCandidateId),
      packetsSent: pair.packetsSent,
      packetsReceived: pair.packetsReceived,
      bytesSent: pair.bytesSent,
      bytesReceived: pair.bytesReceived,
      ...(pair.currentRoundTripTime === undefined ? {} : { rtt: pair.currentRoundTripTime }),
      totalRoundTripTime: pair.totalRoundTripTime,
      roundTripTimeMeasurements: pair.responsesReceived,
      requestsReceived: pair.requestsReceived,
      requestsSent: pair.requestsSent,
      responsesReceived: pair.responsesReceived,
      responsesSent: pair.responsesSent,
      retransmissionsReceived: 0,
      retransmissionsSent: pair.retransmissionsSent,
      consentRequestsSent: pair.consentRequestsSent,
    }
    return fields as CandidatePair
  })
}

function statsCandidate(stats: CandidateStats | undefined, known: readonly Candidate[]): Candidate {
  const same = known.find(
    ({ host, port, transport, type }) =>
      host === stats?.address &&
      port === stats.port &&
      transport === stats.protocol &&
      type === stats.candidateType,
  )
  if (same !== undefined) return same
  return new Candidate(
    stats?.foundation ?? '',
    1,
    stats?.protocol ?? 'udp',
    stats?.priority ?? 0,
    stats?.address ?? '',
    stats?.port ?? 0,
    stats?.candidateType ?? 'host',
    stats?.relatedAddress,
    stats?.relatedPort,
    stats?.tcpType,
    undefined,
    stats?.usernameFragment,
  )
}

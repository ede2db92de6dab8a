/** Mapping behaviour over UDP (RFC 5780 §4.3): one socket, every destination there is, and the first one once more. */

import { isSameIp } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import {
  isPrivate,
  type Mapping,
  type Narrowed,
  narrowed,
  type Observation,
  possibleMappings,
} from './behavior.ts'
import type { ProbeSocket } from './probe-socket.ts'
import type { MappingReport, Vantage } from './report.ts'
import type { Asked } from './run.ts'

export type Answered = Extract<Asked, { type: 'answered' }>

/** A server's four addresses (RFC 5780 §7.4). */
export interface Alternates {
  /** A1:P1, A1:P2, A2:P1, A2:P2. */
  readonly a1p1: TransportAddress
  readonly a1p2: TransportAddress
  readonly a2p1: TransportAddress
  readonly a2p2: TransportAddress
}

/** The alternates that an answer names; why not, if it names none that can be. */
export function alternatesOf(answer: Answered): Alternates | string {
  const { destination: a1p1, response } = answer
  const other = response.get('OTHER-ADDRESS')
  if (other === undefined) return 'the server has no alternate address (RFC 5780)'
  if (other.family !== a1p1.family || isSameIp(other, a1p1) || other.port === a1p1.port || other.port === 0) {
    return `the server's OTHER-ADDRESS ${other} is not another address and another port than ${a1p1}`
  }
  if (isPrivate(other) && !isPrivate(a1p1)) {
    return `the server's OTHER-ADDRESS ${other} is private: it needs to be told its public one (--advertise)`
  }
  return { a1p1, a1p2: a1p1.withPort(other.port), a2p1: other.withPort(a1p1.port), a2p2: other }
}

export interface MappingResult {
  readonly report: MappingReport
  readonly answers: readonly Answered[]
  /** Of the four, those that did not answer. */
  readonly silent: readonly TransportAddress[]
}

/** Another observation, made by other means than a STUN server. */
export interface ExtraObservation extends Observation {
  readonly vantage: Vantage
}

/** Asks all destinations from the socket that has had its first answer. */
export async function measureMapping(
  socket: ProbeSocket,
  first: Answered,
  destinations: readonly TransportAddress[],
  vantage: Vantage,
  extra: () => Promise<readonly ExtraObservation[]> = async () => [],
): Promise<MappingResult> {
  const more = destinations.filter((destination) => !destination.equals(first.destination))
  const [asked, others] = await Promise.all([
    Promise.all(more.map((destination) => socket.ask(destination))),
    extra(),
  ])
  // Control: a NAT that has forgotten its mappings meanwhile looks like one that has a mapping for each destination.
  const again = await socket.ask(first.destination)
  const answers = [first, ...asked.filter((one) => one.type === 'answered')]
  const observations: Observation[] = [...answers, ...others]
  const report = {
    ...conclude(observations, first, again, asked, vantage),
    vantage: others[0]?.vantage ?? vantage,
    observations: [
      ...answers.map(({ destination, mapped, rttMs, tries }) => ({
        destination: `${destination}`,
        mapped: `${mapped}`,
        rttMs: Math.round(rttMs * 10) / 10,
        tries,
      })),
      ...others.map(({ destination, mapped }) => ({
        destination: `${destination}`,
        mapped: `${mapped}`,
        rttMs: null,
        tries: 1,
      })),
    ],
  }
  const silent = asked.filter(({ type }) => type !== 'answered').map(({ destination }) => destination)
  return { report, answers, silent }
}

function conclude(
  observations: readonly Observation[],
  first: Answered,
  again: Asked,
  asked: readonly Asked[],
  vantage: Vantage,
): Narrowed<Mapping> {
  const all = possibleMappings([])
  if (again.type !== 'answered') {
    return narrowed(
      all,
      `${first.destination} answered first and not again: what came between proves nothing`,
    )
  }
  if (!again.mapped.equals(first.mapped)) {
    return narrowed(all, `the mapping toward ${first.destination} changed while it was measured`)
  }
  const possible = possibleMappings(observations)
  if (possible.length === 0 && arePooled(observations)) {
    return narrowed(all, 'packets of one socket leave from several public addresses in turns (RFC 4787 §4.1)')
  }
  if (possible.length === 0) {
    return narrowed(all, 'the mapping depends on the destination in a way that RFC 4787 has no word for')
  }
  const silent = asked.find(({ type }) => type !== 'answered')
  if (silent !== undefined) return narrowed(possible, `${silent.destination} did not answer`)
  return narrowed(possible, reasons[vantage])
}

/** One port, several addresses: what differs is not the mapping but where it is taken from. */
function arePooled(observations: readonly Observation[]): boolean {
  const ports = new Set(observations.map(({ mapped }) => mapped.port))
  return ports.size === 1 && new Set(observations.map(({ mapped }) => mapped.ip)).size > 1
}

const reasons: Readonly<Record<Vantage, string>> = {
  rfc5780: 'the answers leave more than one possibility',
  'two-servers': 'two servers with one port each cannot tell address from port',
  'two-ports': 'two ports of one address cannot tell whether another address has another mapping',
  turn: 'the relay is no other address than the server',
  'one-address': 'one destination tells nothing: name a second server, or one with RFC 5780',
}

/** Everything about UDP over one family: reach, mapping, filtering, ports, ALG, fragments, and what is opt-in. */

import { isSameIp } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { type Finding, filterings, known, unknown } from './behavior.ts'
import { type FilteringResult, measureFiltering, reportOf } from './filtering.ts'
import { measureHairpin } from './hairpin.ts'
import {
  type Alternates,
  type Answered,
  alternatesOf,
  type MappingResult,
  measureMapping,
} from './mapping.ts'
import { judgePorts, moreForParity, sampleRow } from './ports.ts'
import { ProbeSocket } from './probe-socket.ts'
import type { FamilyReport, FilteringReport, NatReport, Vantage } from './report.ts'
import type { Run } from './run.ts'
import {
  closeRelays,
  filteringByRelays,
  observeByRelays,
  openRelays,
  type Relay,
  type TurnVantageOptions,
} from './turn-vantage.ts'

export interface UdpProbe {
  readonly servers: readonly TransportAddress[]
  readonly hairpin: boolean
  readonly turn: TurnVantageOptions | undefined
}

export interface UdpResult {
  readonly report: FamilyReport
  /** What each server answered first; undefined for a server that did not. */
  readonly answers: readonly (Answered | undefined)[]
  /** Why a server's alternate addresses are of no use, in the order of `servers`. */
  readonly alternates: readonly (Alternates | string)[]
  readonly faults: readonly string[]
}

/** Limit: interfaces to look for the way out from. */
const mostInterfaces = 4

export async function probeUdp(run: Run, probe: UdpProbe): Promise<UdpResult> {
  const reached = await reach(run, probe.servers)
  if (typeof reached === 'string') {
    const reason = probe.servers.map(() => reached)
    return {
      report: unreached(run, reached),
      answers: probe.servers.map(() => undefined),
      alternates: reason,
      faults: [],
    }
  }
  const { socket, answers } = reached
  const alternates = answers.map((answer) =>
    answer === undefined ? 'the server does not answer' : alternatesOf(answer),
  )
  const relays = await relaysFor(run, probe, alternates)
  const faults: string[] = typeof relays === 'string' ? [relays] : []
  const measured = await measure(
    run,
    probe,
    socket,
    answers,
    alternates,
    typeof relays === 'string' ? [] : relays,
  )
  if (typeof relays !== 'string') closeRelays(relays)
  return { report: measured.report, answers, alternates, faults: [...faults, ...measured.faults] }
}

/** The relay is the second vantage point only where no server is one by itself. */
async function relaysFor(
  run: Run,
  { turn }: UdpProbe,
  alternates: readonly (Alternates | string)[],
): Promise<readonly Relay[] | string> {
  if (turn === undefined || alternates.some((one) => typeof one !== 'string')) return []
  run.onStep('asking the TURN server for two relays')
  return openRelays(run, turn)
}

interface Reached {
  readonly socket: ProbeSocket
  readonly answers: readonly (Answered | undefined)[]
}

/** The first address of ours that has an answer from anywhere: that is the one which leads out. */
async function reach(run: Run, servers: readonly TransportAddress[]): Promise<Reached | string> {
  run.onStep('asking for our public address')
  const [server] = servers
  if (server === undefined) return 'no server has an address of this family'
  const isLoopback = server.ip === '::1' || server.ip.startsWith('127.')
  const own = run.host
    .interfaces()
    .filter(
      ({ internal, address }) =>
        internal === isLoopback && address.family === server.family && !isLinkLocal(address),
    )
    .slice(0, mostInterfaces)
  if (own.length === 0) return `this host has no ${server.family} address`
  const opened = (await Promise.all(own.map(({ address }) => ProbeSocket.open(run, address)))).filter(
    (socket) => typeof socket !== 'string',
  )
  const asked = await Promise.all(
    opened.map(async (socket) => ({
      socket,
      asked: await Promise.all(servers.map((one) => socket.ask(one))),
    })),
  )
  const found = asked.find(({ asked }) => asked.some(({ type }) => type === 'answered'))
  for (const { socket } of asked) if (socket !== found?.socket) socket.close()
  if (found === undefined)
    return run.isOver ? 'the run ended before an answer came' : 'no server answers over UDP'
  return {
    socket: found.socket,
    answers: found.asked.map((one) => (one.type === 'answered' ? one : undefined)),
  }
}

function isLinkLocal(address: TransportAddress): boolean {
  return address.family === 'IPv6' ? address.a >>> 22 === 0x3fa : address.ip.startsWith('169.254.')
}

function unreached(run: Run, reason: string): FamilyReport {
  return {
    reachable: reason === 'no server answers over UDP' && !run.isOver ? known(false) : unknown(reason),
    local: null,
    mapped: [],
    isDirect: unknown(reason),
    rttMs: null,
    nat: null,
  }
}

async function measure(
  run: Run,
  probe: UdpProbe,
  socket: ProbeSocket,
  answers: readonly (Answered | undefined)[],
  alternates: readonly (Alternates | string)[],
  relays: readonly Relay[],
): Promise<{ report: FamilyReport; faults: readonly string[] }> {
  const at = Math.max(
    0,
    alternates.findIndex((one) => typeof one !== 'string'),
  )
  const first = answers[at] ?? answers.find((answer) => answer !== undefined)!
  const usable = typeof alternates[at] === 'string' ? undefined : (alternates[at] as Alternates | undefined)
  run.onStep('mapping: every destination from one socket')
  const others = answers.flatMap((answer) => (answer === undefined ? [] : [answer.destination]))
  const destinations = usable === undefined ? others : [...Object.values(usable), ...others]
  const mapping = await measureMapping(socket, first, destinations, vantageOf(usable, others), () =>
    observeByRelays(run, socket, relays, first.mapped),
  )
  run.onStep('filtering: answers from where nobody was asked')
  const server = first.destination
  const [filtering, row, fragments] = await Promise.all([
    measureFilter(run, socket, server, usable, mapping, relays, alternates[at]),
    sampleRow(run, socket, server),
    measureFragments(run, socket, server),
  ])
  const samples = [
    { local: socket.local, mapped: first.mapped },
    ...filtering.firsts.map(({ socket, answer }) => ({ local: socket.local, mapped: answer.mapped })),
    ...row,
  ]
  samples.push(...(await moreForParity(run, socket, server, samples)))
  const hairpin = probe.hairpin
    ? await measureHairpin(run, socket, server, mapping.report.value)
    : {
        hairpin: { ...unknown('not asked for (--hairpin)'), source: null },
        layers: unknown('not asked for (--hairpin)'),
      }
  const isDirect = first.mapped.equals(socket.local)
  const nat: NatReport = {
    mapping: mapping.report,
    filtering: filtering.report,
    inboundPoisonsMapping: filtering.poisoned,
    ...judgePorts(samples, row),
    alg: measureAlg(first),
    fragments,
    ...hairpin,
  }
  const mapped = [...new Set([...mapping.answers, ...samples].map((one) => `${one.mapped}`))]
  const report = {
    reachable: known(true),
    local: `${socket.local}`,
    mapped: mapped.slice(0, 1),
    isDirect: known(isDirect),
    rttMs: Math.round(first.rttMs * 10) / 10,
    nat,
  }
  return { report, faults: filtering.fault === undefined ? [] : [filtering.fault] }
}

function vantageOf(usable: Alternates | undefined, servers: readonly TransportAddress[]): Vantage {
  if (usable !== undefined) return 'rfc5780'
  const [first, ...more] = servers
  if (more.some((one) => !isSameIp(one, first!))) return 'two-servers'
  return more.length > 0 ? 'two-ports' : 'one-address'
}

async function measureFilter(
  run: Run,
  socket: ProbeSocket,
  server: TransportAddress,
  usable: Alternates | undefined,
  { report, answers }: MappingResult,
  relays: readonly Relay[],
  why: Alternates | string | undefined,
): Promise<FilteringResult> {
  if (usable !== undefined) {
    const input = {
      run,
      alternates: usable,
      mappingSocket: socket,
      mapping: report.value,
      mappingAnswers: answers,
    }
    return measureFiltering(input)
  }
  const filtering: FilteringReport =
    relays.length > 0
      ? await filteringByRelays(run, socket, server, relays)
      : reportOf(
          filterings,
          `filtering needs an answer from elsewhere: ${typeof why === 'string' ? why : ''}`,
        )
  return {
    report: filtering,
    poisoned: unknown('needs a server with RFC 5780'),
    firsts: [],
    fault: undefined,
  }
}

/** An application level gateway that rewrites what looks like an address leaves the obfuscated one (RFC 8489 §14.2) alone. */
function measureAlg({ response }: Answered): Finding<boolean> {
  const plain = response.get('MAPPED-ADDRESS')
  const xored = response.get('XOR-MAPPED-ADDRESS')
  if (plain === undefined || xored === undefined)
    return unknown('the server does not say our address in both ways, in the clear and obfuscated')
  return known(!plain.equals(xored))
}

const smallPadding = 16
/** With it a request is longer than any MTU of Ethernet, and comes in two fragments. */
const largePadding = 1600
/** Each way two packets have to arrive. */
const fragmentTries = 18

/** Fragments (RFC 5780 §7.6, PADDING): both ways, for a server that pads its answer as well. */
async function measureFragments(
  run: Run,
  socket: ProbeSocket,
  server: TransportAddress,
): Promise<Finding<boolean>> {
  const small = await run.ask(socket, server, { attributes: [['PADDING', new Uint8Array(smallPadding)]] })
  if (small.type === 'rejected') return unknown(`the server refuses PADDING (${small.code})`)
  if (small.type !== 'answered' || !small.response.has('PADDING'))
    return unknown('the server does not pad its answers')
  const large = await run.ask(socket, server, {
    attributes: [['PADDING', new Uint8Array(largePadding)]],
    tries: fragmentTries,
  })
  if (large.type === 'answered') return known(true)
  return large.type === 'silent' ? known(false) : unknown('the run ended before')
}

/** `probeNat`: all families at once against the servers that were named, and what follows from it. */

import type { Host } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { resolveServer } from '../net/resolve-server.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import { known, unknown } from './behavior.ts'
import type { Alternates, Answered } from './mapping.ts'
import {
  type FamilyName,
  type FamilyReport,
  natSchema,
  type ProbeReport,
  type Problem,
  type ServerReport,
} from './report.ts'
import { Run } from './run.ts'
import { probeTcp } from './tcp.ts'
import type { TurnVantageOptions } from './turn-vantage.ts'
import { probeUdp, type UdpResult } from './udp.ts'
import { verdictOf } from './verdict.ts'

export interface NatProbeOptions {
  /** `stun:` URIs; what they resolve to is asked in this order. */
  readonly servers: readonly ServerUri[]
  /** A relay to measure from where no server has RFC 5780. */
  readonly turn?: TurnVantageOptions | undefined
  readonly hairpin?: boolean | undefined
  /** All of them unless given. */
  readonly families?: readonly FamilyName[] | undefined
  /** 5 s unless given; hairpinning has some more. */
  readonly limitMs?: number | undefined
  readonly onStep?: ((text: string) => void) | undefined
  /** Ends the run, with what is known by then. */
  readonly signal?: AbortSignal | undefined
  readonly tool?: string | undefined
}

const limitMs = 5000
const hairpinLimitMs = 12_000
const allFamilies: readonly FamilyName[] = ['udp4', 'udp6', 'tcp4', 'tcp6']

interface Target {
  readonly uri: string
  readonly address: TransportAddress | undefined
  readonly failure: string | undefined
}

/** Measures, and gives what is known at the end of the time. Never rejects for what the network does. */
export async function probeNat(host: Host, options: NatProbeOptions): Promise<ProbeReport> {
  const limit = options.limitMs ?? (options.hairpin === true ? hairpinLimitMs : limitMs)
  const run = new Run(host, limit, options.onStep)
  const stop = () => run.stop()
  options.signal?.addEventListener('abort', stop)
  if (options.signal?.aborted === true) stop()
  try {
    run.onStep('looking the servers up')
    const targets = (await Promise.all(options.servers.map((uri) => resolve(host, uri)))).flat()
    const families = options.families ?? allFamilies
    const kinds = ['IPv4', 'IPv6'] as const
    const measured = kinds.map((family) =>
      families.includes(family === 'IPv4' ? 'udp4' : 'udp6')
        ? udpOf(run, targets, family, options)
        : Promise.resolve(undefined),
    )
    const connected = kinds.map((family, i) =>
      families.includes(family === 'IPv4' ? 'tcp4' : 'tcp6')
        ? probeTcp(run, addressesOf(targets, family), measured[i]!.then(firstAlternates))
        : undefined,
    )
    const [udp, tcp] = await Promise.all([Promise.all(measured), Promise.all(connected)])
    return assemble(run, options, targets, udp, tcp)
  } finally {
    options.signal?.removeEventListener('abort', stop)
    run.close()
  }
}

function resolve(host: Host, uri: ServerUri): Promise<Target[]> {
  const text = formatServerUri(uri)
  return new Promise((settle) => {
    resolveServer(host, uri, { transports: ['udp'] }, (result) => {
      settle(
        result.type === 'resolved'
          ? result.servers.map(({ address }) => ({ uri: text, address, failure: undefined }))
          : [{ uri: text, address: undefined, failure: result.reason }],
      )
    })
  })
}

function addressesOf(targets: readonly Target[], family: 'IPv4' | 'IPv6'): TransportAddress[] {
  return targets.flatMap(({ address }) => (address?.family === family ? [address] : []))
}

async function udpOf(
  run: Run,
  targets: readonly Target[],
  family: 'IPv4' | 'IPv6',
  { hairpin = false, turn }: NatProbeOptions,
): Promise<UdpResult | undefined> {
  const servers = addressesOf(targets, family)
  if (servers.length === 0) return undefined
  return probeUdp(run, { servers, hairpin, turn: family === 'IPv4' ? turn : undefined })
}

function firstAlternates(udp: UdpResult | undefined): Alternates | undefined {
  return udp?.alternates.find((one) => typeof one !== 'string')
}

function assemble(
  run: Run,
  options: NatProbeOptions,
  targets: readonly Target[],
  udp: readonly (UdpResult | undefined)[],
  tcp: readonly (FamilyReport | undefined)[],
): ProbeReport {
  const families: Partial<Record<FamilyName, FamilyReport>> = {}
  if (udp[0] !== undefined) families.udp4 = udp[0].report
  if (udp[1] !== undefined) families.udp6 = udp[1].report
  if (tcp[0] !== undefined) families.tcp4 = tcp[0]
  if (tcp[1] !== undefined) families.tcp6 = tcp[1]
  return {
    schema: natSchema,
    tool: options.tool ?? 'turnpike',
    time: new Date(run.host.clock.epochSeconds() * 1000).toISOString(),
    durationMs: Math.round(run.elapsedMs),
    isPartial: run.isOver,
    verdict: verdictOf(families),
    families,
    servers: serversOf(targets, udp),
    problems: problemsOf(targets, udp),
  }
}

function serversOf(targets: readonly Target[], udp: readonly (UdpResult | undefined)[]): ServerReport[] {
  return targets.map(({ uri, address, failure }) => {
    const { answer, alternates } = findAnswer(targets, udp, address)
    const why = failure ?? (typeof alternates === 'string' ? alternates : 'not asked')
    return {
      uri,
      address: address === undefined ? null : `${address}`,
      rfc5780:
        typeof alternates === 'object' ? known(true) : answer === undefined ? unknown(why) : known(false),
      other: answer?.response.get('OTHER-ADDRESS')?.toString() ?? null,
      rttMs: answer === undefined ? null : Math.round(answer.rttMs * 10) / 10,
    }
  })
}

/** What a server says to a login that it does not take. */
const isRefusal = /: (?:401|441) |not signed with the password/

function findAnswer(
  targets: readonly Target[],
  udp: readonly (UdpResult | undefined)[],
  address: TransportAddress | undefined,
): { answer: Answered | undefined; alternates: Alternates | string | undefined } {
  const family = address?.family === 'IPv6' ? 1 : 0
  const result = udp[family]
  const i = address === undefined ? -1 : addressesOf(targets, address.family).indexOf(address)
  return { answer: result?.answers[i], alternates: result?.alternates[i] }
}

function problemsOf(targets: readonly Target[], udp: readonly (UdpResult | undefined)[]): Problem[] {
  const problems: Problem[] = []
  for (const { uri, address, failure } of targets) {
    if (failure !== undefined) {
      const fix = 'Check the name, or name the server by its address.'
      problems.push({
        code: 'not-found',
        severity: 'error',
        where: uri,
        what: `does not resolve (${failure})`,
        fix,
      })
      continue
    }
    const { answer, alternates } = findAnswer(targets, udp, address)
    if (
      answer === undefined &&
      udp.some((result) => result?.answers.some((one) => one === undefined) === true)
    ) {
      const fix = 'Check that the server runs and that its UDP port is open in its firewall.'
      problems.push({
        code: 'no-answer',
        severity: 'error',
        where: `${uri} (${address})`,
        what: 'does not answer',
        fix,
      })
    } else if (typeof alternates === 'string' && alternates.includes('OTHER-ADDRESS')) {
      const fix =
        'Give the server two public addresses, and tell it of them: --alternate-address, --advertise.'
      problems.push({ code: 'bad-alternate', severity: 'warning', where: uri, what: alternates, fix })
    }
  }
  for (const fault of udp.flatMap((result) => result?.faults ?? [])) {
    const isTurn = fault.startsWith('the TURN server')
    const fix = isTurn
      ? 'Check --turn and its credentials: turnpike check says which step fails.'
      : 'Filtering cannot be measured with this server; use turnpike serve --alternate-address, or name --turn.'
    problems.push({
      code: isTurn && isRefusal.test(fault) ? 'turn-refused' : 'server-fault',
      severity: 'warning',
      where: isTurn ? 'the TURN server' : (targets[0]?.uri ?? ''),
      what: fault.replace(/^the TURN server /, ''),
      fix,
    })
  }
  return problems
}

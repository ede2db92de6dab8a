/** `gatherCandidates`: what an ICE agent gathers here, when each candidate came, and why a server gave none. */

import type { Host } from '../core/host.ts'
import type { CandidateProtocol, CandidateType, LocalCandidate, TcpType } from '../ice/candidate.ts'
import type { InterfaceRules } from '../ice/interfaces.ts'
import type { ClientTlsOptions } from '../net/client-transport.ts'
import { type IceServer, listServers } from '../net/ice/options.ts'
import { openIce } from '../net/ice/transport.ts'
import { Run } from './run.ts'

export const iceSchema = 'turnpike.ice/1'

export interface IceProbeOptions {
  readonly servers: readonly IceServer[]
  readonly interfaces?: InterfaceRules | undefined
  /** Host candidates over TCP too. */
  readonly tcp?: boolean | undefined
  readonly tls?: ClientTlsOptions | undefined
  /** For each server; 5 s unless given. */
  readonly serverDeadlineMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly tool?: string | undefined
  readonly onCandidate?: ((candidate: CandidateReport) => void) | undefined
}

export interface CandidateReport {
  readonly ms: number
  readonly type: CandidateType
  readonly protocol: CandidateProtocol
  readonly tcpType: TcpType | null
  readonly address: string
  /** The base of a reflexive candidate, our own address as the server of a relayed one sees it. */
  readonly related: string | null
  readonly foundation: string
  readonly component: number
  readonly priority: number
  /** The server that it came from. */
  readonly url: string | null
  readonly relayProtocol: 'udp' | 'tcp' | 'tls' | null
}

export interface IceServerReport {
  readonly url: string
  readonly candidates: number
  /** When its first candidate or its failure came; null where neither did. */
  readonly ms: number | null
  /** Why it gave none; null when it gave some, or told nothing that was not known. */
  readonly error: string | null
  /** The STUN error code, or 701 where the server was not reached, as in W3C's icecandidateerror. */
  readonly code: number | null
}

export interface IceReport {
  readonly schema: typeof iceSchema
  readonly tool: string
  readonly time: string
  readonly durationMs: number
  readonly isPartial: boolean
  readonly candidates: readonly CandidateReport[]
  readonly servers: readonly IceServerReport[]
}

/** Limit: servers have deadlines of their own; this is for names that do not resolve. */
const limitMs = 20_000
const unreachableCode = 701

/** Never rejects for what the network does; throws `uri-invalid`. What was allocated is given back. */
export async function gatherCandidates(host: Host, options: IceProbeOptions): Promise<IceReport> {
  const run = new Run(host, limitMs)
  const candidates: CandidateReport[] = []
  const failures = new Map<string, { readonly ms: number; readonly error: string }>()
  const complete = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const stop = () => complete.resolve()
  let isComplete = false
  options.signal?.addEventListener('abort', stop)
  const transport = openIce(
    host,
    {
      role: 'controlling',
      servers: options.servers,
      interfaces: options.interfaces,
      tcp: options.tcp === true ? ['active', 'passive'] : [],
      mdns: 'off',
      tls: options.tls,
      serverDeadlineMs: options.serverDeadlineMs,
    },
    {
      onData: () => {},
      onEvent: (event) => {
        if (event.type === 'local-candidate') {
          const candidate = reportOf(event.local, elapsed(run))
          candidates.push(candidate)
          options.onCandidate?.(candidate)
        } else if (event.type === 'server-failed' && !failures.has(event.url)) {
          failures.set(event.url, { ms: elapsed(run), error: event.reason })
        } else if (event.type === 'gathering' && event.state === 'complete') {
          isComplete = true
          complete.resolve()
        } else if (event.type === 'closed') closed.resolve()
      },
    },
  )
  try {
    transport.gather()
    if (options.signal?.aborted === true) stop()
    void run.sleep(limitMs).then(stop)
    await complete.promise
    const durationMs = Math.round(run.elapsedMs)
    transport.close()
    await closed.promise
    return {
      schema: iceSchema,
      tool: options.tool ?? 'turnpike',
      time: new Date(host.clock.epochSeconds() * 1000).toISOString(),
      durationMs,
      isPartial: !isComplete,
      candidates,
      servers: serversOf(options.servers, candidates, failures),
    }
  } finally {
    options.signal?.removeEventListener('abort', stop)
    transport.close()
    run.close()
  }
}

function elapsed(run: Run): number {
  return Math.round(run.elapsedMs * 100) / 100
}

function reportOf(candidate: LocalCandidate, ms: number): CandidateReport {
  const { type, protocol, tcpType, address, related, foundation, component, priority } = candidate
  return {
    ms,
    type,
    protocol,
    tcpType: tcpType ?? null,
    address: `${address}`,
    related: related === undefined ? null : `${related}`,
    foundation,
    component,
    priority,
    url: candidate.url ?? null,
    relayProtocol: candidate.relayProtocol ?? null,
  }
}

function serversOf(
  servers: readonly IceServer[],
  candidates: readonly CandidateReport[],
  failures: ReadonlyMap<string, { readonly ms: number; readonly error: string }>,
): IceServerReport[] {
  return listServers(servers).map(({ url }) => {
    const given = candidates.filter((candidate) => candidate.url === url)
    const failure = failures.get(url)
    return {
      url,
      candidates: given.length,
      ms: given[0]?.ms ?? failure?.ms ?? null,
      error: failure?.error ?? null,
      code: failure === undefined ? null : codeOf(failure.error),
    }
  })
}

function codeOf(error: string): number {
  return Number(/^(\d{3}) /.exec(error)?.[1] ?? unreachableCode)
}

/**
 * `checkTurn`: every step of every transport of TURN servers, and the cure for what fails. All places are knocked at
 * together; those that answer are gone through one after another, so that no quota is reached by the check itself.
 */

import type { Host } from '../../core/host.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { ClientTlsOptions } from '../../net/client-transport.ts'
import type { ServerUri } from '../../stun/uri.ts'
import type { Problem } from '../report.ts'
import { Run } from '../run.ts'
import { fault, problemOf } from './cures.ts'
import { shakeHands } from './handshake.ts'
import { type Attempt, type Place, planOf, type Unresolved, usualPlaces } from './plan.ts'
import { checkPolicy } from './policy.ts'
import { walkRelay } from './relay.ts'
import {
  type CheckReport,
  checkSchema,
  isAbsence,
  isRefusal,
  type PolicyFinding,
  type TransportReport,
} from './report.ts'
import { Walk } from './walk.ts'

export interface CheckOptions {
  /** `turn:` and `turns:`. */
  readonly servers: readonly ServerUri[]
  readonly credentials?: { readonly username: string; readonly password: string } | undefined
  /** Where to look besides what the URIs mean; the usual ports unless given. */
  readonly otherPlaces?: readonly Place[] | undefined
  /** Tests that private peers are refused. */
  readonly policy?: boolean | undefined
  /** Packets of the echo; 20 unless given. */
  readonly count?: number | undefined
  /** 30 s unless given. */
  readonly limitMs?: number | undefined
  readonly tls?: ClientTlsOptions | undefined
  readonly onStep?: ((text: string) => void) | undefined
  /** Ends the run, with what is known by then. */
  readonly signal?: AbortSignal | undefined
  readonly tool?: string | undefined
  /** Whether nothing listens at an address: what the system says to a connected UDP socket. */
  readonly isRefused?: ((address: TransportAddress) => Promise<boolean>) | undefined
}

const defaultLimitMs = 30_000
const defaultCount = 20

/** Never rejects for what the network does. What was allocated is given back. */
export async function checkTurn(host: Host, options: CheckOptions): Promise<CheckReport> {
  const run = new Run(host, options.limitMs ?? defaultLimitMs, options.onStep)
  const stop = () => run.stop()
  options.signal?.addEventListener('abort', stop)
  if (options.signal?.aborted === true) stop()
  try {
    run.onStep('looking the servers up')
    const others = options.otherPlaces ?? usualPlaces
    const plans = await Promise.all(options.servers.map((uri) => planOf(host, uri, others)))
    const walks = withoutTwins(plans).map((plan) =>
      'reason' in plan ? plan : plan.map((attempt) => new Walk(run, attempt)),
    )
    const all = walks.flatMap((one) => ('reason' in one ? [] : one))
    run.onStep(`knocking at ${all.length} places`)
    const open = await Promise.all(
      all.map(async (walk) => ({ walk, door: await shakeHands(run, walk, options) })),
    )
    let login: 'untried' | 'refused' = 'untried'
    // What the URIs mean goes first: it is what counts if there is no time, or no login, for the rest.
    open.sort((x, y) => Number(y.walk.attempt.isNamed) - Number(x.walk.attempt.isNamed))
    for (const { walk, door } of open) {
      if (door === 'stopped') continue
      if (door === 'challenged' && options.credentials === undefined) {
        walk.failed('allocate', run.elapsedMs, fault('credentials-missing'))
      } else if (login === 'refused') walk.open('allocate', 'not tried: the credentials are refused')
      else {
        run.onStep(`relaying by ${walk.attempt.transport} ${walk.attempt.address.port}`)
        await walkRelay(run, walk, relayOptions(options, walk.attempt))
        if (isRefusal(walk.report())) login = 'refused'
      }
    }
    const policy = options.policy === true ? await policyOf(run, all, options) : null
    return assemble(run, options, walks, policy)
  } finally {
    options.signal?.removeEventListener('abort', stop)
    run.close()
  }
}

/** A place beside one URI that another one means, or that was beside another one already, is gone to once. */
function withoutTwins(
  plans: readonly (readonly Attempt[] | Unresolved)[],
): readonly (readonly Attempt[] | Unresolved)[] {
  const all = plans.flatMap((plan) => ('reason' in plan ? [] : plan))
  const firstAt = ({ transport, address, host }: Attempt) => {
    const twins = all.filter(
      (one) => one.transport === transport && one.address.equals(address) && one.host === host,
    )
    return twins.find(({ isNamed }) => isNamed) ?? twins[0]
  }
  return plans.map((plan) =>
    'reason' in plan ? plan : plan.filter((one) => one.isNamed || firstAt(one) === one),
  )
}

function relayOptions({ credentials, tls, count = defaultCount }: CheckOptions, { isNamed }: Attempt) {
  return { credentials, tls, count: isNamed ? count : Math.ceil(count / 2) }
}

async function policyOf(run: Run, walks: readonly Walk[], options: CheckOptions): Promise<PolicyFinding[]> {
  const walk = walks.find(({ relayed }) => relayed.IPv4 !== null || relayed.IPv6 !== null)
  if (walk === undefined) return []
  run.onStep('asking for peers that it has to refuse')
  return checkPolicy(run, walk.attempt, relayOptions(options, walk.attempt))
}

function assemble(
  run: Run,
  options: CheckOptions,
  walks: readonly (readonly Walk[] | Unresolved)[],
  policy: readonly PolicyFinding[] | null,
): CheckReport {
  const transports = walks.flatMap((one) =>
    'reason' in one ? [unresolved(one)] : one.map((walk) => walk.report()),
  )
  const named = transports.filter(({ isNamed }) => isNamed)
  const allowed = (policy ?? []).filter(({ refused }) => refused === false)
  const problems = [
    ...transports.flatMap((one) => one.problems),
    ...(allowed.length === 0 ? [] : [policyProblem(allowed)]),
  ]
  const ok = allowed.length > 0 ? false : verdictOf(named)
  return {
    schema: checkSchema,
    tool: options.tool ?? 'turnpike',
    time: new Date(run.host.clock.epochSeconds() * 1000).toISOString(),
    durationMs: Math.round(run.elapsedMs),
    isPartial: run.isOver,
    ok,
    summary: summaryOf(ok, named, allowed.length),
    transports,
    policy,
    problems: [
      ...problems.filter(({ severity }) => severity === 'error'),
      ...problems.filter(({ severity }) => severity === 'warning'),
    ],
  }
}

/** What this host has no route to counts where there is nothing else only. */
function verdictOf(named: readonly TransportReport[]): boolean | null {
  if (named.some(({ ok }) => ok === false)) return false
  const known = named.filter((one) => !one.problems.some(({ code }) => code === 'no-route'))
  return known.length > 0 && known.every(({ ok }) => ok === true) ? true : null
}

function summaryOf(ok: boolean | null, named: readonly TransportReport[], allowed: number): string {
  const works = named.filter((one) => one.ok === true).length
  const count = `${named.length} place${named.length === 1 ? '' : 's'}`
  if (allowed > 0)
    return `It would relay to ${allowed} address${allowed === 1 ? '' : 'es'} that it has to refuse.`
  if (ok === true) return named.length === 1 ? 'It relays.' : `It relays at all ${count}.`
  if (ok === null) return 'Whether it relays could not be found out.'
  if (named.every(isAbsence)) return named.length === 1 ? 'It does not answer.' : 'None of them answers.'
  if (named.some(isRefusal)) return 'It answers, and does not take the credentials.'
  if (works > 0) return `It relays at ${works} of ${count}.`
  const why = named.flatMap(({ problems }) => problems).find(({ severity }) => severity === 'error')?.what
  return `It does not work: ${why ?? 'the reason is not known'}.`
}

function policyProblem(allowed: readonly PolicyFinding[]): Problem {
  const place = { transport: 'udp', port: 0, host: '' } as const
  const peers = allowed.map(({ peer }) => peer).join(', ')
  return { ...problemOf(fault('peer-allowed', peers), place), where: 'policy' }
}

function unresolved({ uri, transport, port, host, reason }: Unresolved): TransportReport {
  const problem = problemOf(fault('name-not-found', reason), { transport, port, host })
  return {
    uri,
    transport,
    address: null,
    port,
    isNamed: true,
    ok: false,
    steps: [{ step: 'resolve', ok: false, ms: null, code: null, detail: problem.what }],
    certificate: null,
    software: null,
    relayed: { IPv4: null, IPv6: null },
    echo: null,
    problems: [problem],
  }
}

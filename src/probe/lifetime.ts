/**
 * How long a mapping lives (RFC 5780 §4.6), the whole ladder at once: for each time two sockets fall silent, one after a
 * single exchange and one after a stream of them, for Linux has a timer for each. When its time is over, another socket
 * has the server answer to the port of the silent one (RESPONSE-PORT): what arrives proves that the mapping lives.
 */

import type { Host } from '../core/host.ts'
import { isSameIp } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { type Finding, known, unknown } from './behavior.ts'
import type { Answered } from './mapping.ts'
import { ProbeSocket } from './probe-socket.ts'
import { Run } from './run.ts'

export const lifetimeSchema = 'turnpike.lifetime/1'

export const defaultLadder: readonly number[] = [10, 20, 30, 45, 60, 90, 120, 180, 300]

/** Beyond these seconds of traffic both ways Linux takes an exchange for a stream. */
const streamPauseMs = 1100
const streamExchanges = 4
/** For what comes before and after the silence. */
const overheadMs = 30_000

export interface Rung {
  readonly seconds: number
  readonly alive: Finding<boolean>
}

export interface Ladder {
  readonly rungs: readonly Rung[]
  /** The longest silence that a mapping has survived; 0 if none, null if that is not known. */
  readonly aliveS: number | null
  /** The shortest that it has not; null if it survived all, or if that is not known. */
  readonly deadS: number | null
  readonly reason: string | null
}

export interface LifetimeReport {
  readonly schema: typeof lifetimeSchema
  readonly server: string
  readonly isPartial: boolean
  readonly single: Ladder
  readonly stream: Ladder
  /** Seconds between keepalives that keep any mapping: four fifths of what the shorter-lived kind survives. */
  readonly keepaliveS: number | null
}

export interface LifetimeOptions {
  readonly server: TransportAddress
  /** Seconds of silence, ascending. */
  readonly ladder?: readonly number[] | undefined
  readonly onStep?: ((text: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export async function probeLifetime(host: Host, options: LifetimeOptions): Promise<LifetimeReport> {
  const { server, ladder = defaultLadder, onStep, signal } = options
  const run = new Run(host, Math.max(...ladder) * 1000 + overheadMs, onStep)
  const stop = () => run.stop()
  signal?.addEventListener('abort', stop)
  try {
    const local = await sourceFor(run, server)
    const problem = typeof local === 'string' ? local : await controlOf(run, local, server)
    onStep?.(`silent for up to ${Math.max(...ladder)} s`)
    const climb = (isStream: boolean) =>
      Promise.all(
        ladder.map(async (seconds): Promise<Rung> => {
          if (problem !== undefined || typeof local === 'string') {
            return { seconds, alive: unknown(problem ?? 'no way to the server') }
          }
          return { seconds, alive: await rung(run, local, server, seconds, isStream) }
        }),
      )
    const [single, stream] = await Promise.all([climb(false), climb(true)])
    const ladders = { single: judge(single), stream: judge(stream) }
    const shortest = [ladders.single.aliveS, ladders.stream.aliveS].filter((one) => one !== null)
    const keepaliveS = shortest.length < 2 ? null : Math.floor(Math.min(...shortest) * 0.8)
    return { schema: lifetimeSchema, server: `${server}`, isPartial: run.isOver, ...ladders, keepaliveS }
  } finally {
    signal?.removeEventListener('abort', stop)
    run.close()
  }
}

/** Our address on the way to the server. */
async function sourceFor(run: Run, server: TransportAddress): Promise<TransportAddress | string> {
  const isLoopback = server.ip === '::1' || server.ip.startsWith('127.')
  for (const { address, internal } of run.host.interfaces()) {
    if (address.family !== server.family || internal !== isLoopback) continue
    const socket = await ProbeSocket.open(run, address)
    if (typeof socket === 'string') continue
    const asked = await socket.ask(server)
    socket.close()
    if (asked.type === 'answered') return address
  }
  return 'the server does not answer'
}

/** Without any silence the answer has to arrive; else nothing that does not would prove anything. */
async function controlOf(
  run: Run,
  local: TransportAddress,
  server: TransportAddress,
): Promise<string | undefined> {
  const alive = await rung(run, local, server, 0, false)
  if (alive.value === true) return undefined
  return alive.reason ?? 'the server does not answer to RESPONSE-PORT'
}

async function rung(
  run: Run,
  local: TransportAddress,
  server: TransportAddress,
  seconds: number,
  isStream: boolean,
): Promise<Finding<boolean>> {
  const silent = await ProbeSocket.open(run, local)
  if (typeof silent === 'string') return unknown(`no socket for it: ${silent}`)
  let first = await silent.ask(server)
  for (let i = 1; isStream && i < streamExchanges; i++) {
    if (!(await run.sleep(streamPauseMs))) break
    first = await silent.ask(server)
  }
  if (first.type !== 'answered') return unknown('the server did not answer a new socket')
  if (!(await run.sleep(seconds * 1000))) return unknown('the run ended before')
  return poke(run, local, server, silent, first)
}

async function poke(
  run: Run,
  local: TransportAddress,
  server: TransportAddress,
  silent: ProbeSocket,
  first: Answered,
): Promise<Finding<boolean>> {
  const poker = await ProbeSocket.open(run, local)
  if (typeof poker === 'string') return unknown(`no socket for it: ${poker}`)
  const own = await poker.ask(server)
  if (own.type !== 'answered') return unknown('the server did not answer a new socket')
  if (!isSameIp(own.mapped, first.mapped)) {
    return unknown('the NAT has several public addresses, and RESPONSE-PORT leads to one only')
  }
  const port = first.mapped.port
  const asked = await poker.ask(server, { attributes: [['RESPONSE-PORT', port]], at: silent })
  silent.close()
  poker.close()
  if (asked.type === 'answered') return known(true)
  if (asked.type === 'silent') return known(false)
  return unknown(
    asked.type === 'rejected' ? `the server refuses RESPONSE-PORT (${asked.code})` : 'the run ended before',
  )
}

function judge(rungs: readonly Rung[]): Ladder {
  const none = { rungs, aliveS: null, deadS: null }
  const open = rungs.find(({ alive }) => alive.value === null)
  const firstDead = rungs.findIndex(({ alive }) => alive.value === false)
  if (firstDead >= 0 && rungs.slice(firstDead).some(({ alive }) => alive.value === true)) {
    return { ...none, reason: 'a longer silence was survived and a shorter one was not' }
  }
  const before = firstDead < 0 ? rungs : rungs.slice(0, firstDead)
  if (before.some(({ alive }) => alive.value === null)) return { ...none, reason: open?.alive.reason ?? null }
  return {
    rungs,
    aliveS: before.at(-1)?.seconds ?? 0,
    deadS: rungs[firstDead]?.seconds ?? null,
    reason: null,
  }
}

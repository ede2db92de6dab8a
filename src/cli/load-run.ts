/** What `turnpike load` does: says what it is going to send, sends it, and tells what became of it. */

import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import { isLoopbackIp } from '../core/ip.ts'
import type { ProblemKind } from '../load/diagnosis.ts'
import { type LoadMachine, openMachine } from '../load/machine.ts'
import type { LoadDirection, LoadPlan } from '../load/plan.ts'
import type { LoadReport } from '../load/report.ts'
import { type LoadOptions, type LoadProgress, runLoad } from '../load/run.ts'
import { ServerProcess } from '../load/server-process.ts'
import { NodeHost } from '../net/node-host.ts'
import { type ResolvedServer, resolveServer } from '../net/resolve-server.ts'
import { formatServerUri, isSecure, type ServerUri } from '../stun/uri.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { announcementOf, count, loadScreen, trafficOf } from './load-screen.ts'
import { type LoginFlags, loginOf } from './login-flags.ts'
import { progressOn } from './screen/progress.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'
import { version } from './version.ts'

export interface LoadFlags extends LoginFlags {
  readonly flows: number
  readonly size: number
  readonly rate: number | 'max'
  readonly direction: LoadDirection
  readonly interleave?: boolean
  readonly seconds: number
  readonly allocationsOnly?: boolean
  readonly transport?: ClientTransport
  readonly pid?: number
  readonly yes?: boolean
  readonly json?: boolean
  readonly plain?: boolean
  readonly color?: boolean
}

/** Limit: how long a name made of a secret is good for: longer than any run. */
const loginSeconds = 2 * 86_400

export async function runLoadCommand(given: ServerUri, plan: LoadPlan, flags: LoadFlags): Promise<ExitCode> {
  const host = new NodeHost()
  const uri = withTransport(given, flags.transport)
  const credentials = await loginOf(flags, host.clock.epochSeconds(), loginSeconds)
  const server = await serverOf(host, uri)
  if (flags.yes !== true && !isLoopbackIp(server.address)) {
    throw new TurnpikeError(
      'configuration-invalid',
      `${server.address} is not loopback, and may be hurt, as may the network on the way, by ${trafficOf(plan)}: add --yes if the server is yours`,
    )
  }
  const watched = flags.pid === undefined ? undefined : processOf(flags.pid)
  const machine = openMachine()
  try {
    return await run(machine, flags, {
      uri: formatServerUri(uri),
      server,
      plan,
      credentials,
      process: watched,
      mayLeaveLoopback: flags.yes === true,
      tool: `turnpike ${version()}`,
    })
  } finally {
    machine.stop()
  }
}

async function run(machine: LoadMachine, flags: LoadFlags, options: LoadOptions): Promise<ExitCode> {
  const progress = progressOn(process.stderr, process.env)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  for (const signal of signals) process.once(signal, interrupt)
  process.stderr.write(`${announcementOf(options.plan, options.server, machine)}\n`)
  try {
    const report = await runLoad(machine, {
      ...options,
      signal: interrupted.signal,
      onProgress: (step) => progress.show(`turnpike load: ${textOfProgress(step)}`),
    }).finally(() => progress.clear())
    const terminal = terminalOf(process.stdout, process.env, flags)
    process.stdout.write(
      flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : render(loadScreen(report), terminal),
    )
    return interrupted.signal.aborted ? exitCodes.interrupted : exitCodeOf(report)
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}

const signals = ['SIGINT', 'SIGTERM'] as const

const codes: Readonly<Record<ProblemKind, ExitCode>> = {
  unreachable: exitCodes.unreachable,
  unauthorized: exitCodes.unauthorized,
  refused: exitCodes.failed,
  slow: exitCodes.success,
}

function exitCodeOf({ problems }: LoadReport): ExitCode {
  return (
    problems.map(({ kind }) => codes[kind]).find((code) => code !== exitCodes.success) ?? exitCodes.success
  )
}

function textOfProgress(progress: LoadProgress): string {
  switch (progress.step) {
    case 'allocating':
      return `${count(progress.done)} of ${count(progress.of)} allocations …`
    case 'sending':
      return `${progress.seconds.toFixed(1)} s, ${count(progress.sent)} sent, ${count(progress.received)} received …`
    case 'freeing':
      return `${count(progress.left)} allocations to free (Ctrl-C leaves them to expire) …`
  }
}

/** The URI says how the server is reached, and the flag says it better. */
function withTransport(uri: ServerUri, transport: ClientTransport | undefined): ServerUri {
  if (transport === undefined) {
    return uri.transport === undefined && !isSecure(uri) ? { ...uri, transport: 'udp' } : uri
  }
  if (isSecure(uri) && transport !== 'tls') {
    throw new TurnpikeError(
      'configuration-invalid',
      `${formatServerUri(uri)} is by TLS, and --transport ${transport} is not: write turn: for that`,
    )
  }
  return transport === 'tls' ? { ...uri, scheme: 'turns', transport: 'tcp' } : { ...uri, transport }
}

function serverOf(host: Host, uri: ServerUri): Promise<ResolvedServer> {
  const transport = isSecure(uri) ? 'tls' : (uri.transport ?? 'udp')
  return new Promise((resolve, reject) => {
    resolveServer(host, uri, { transports: [transport] }, (result) => {
      if (result.type === 'resolved') resolve(result.servers[0]!)
      else
        reject(new TurnpikeError('configuration-invalid', `${uri.host} does not resolve (${result.reason})`))
    })
  })
}

function processOf(pid: number): ServerProcess {
  const found = ServerProcess.find(pid)
  if (typeof found !== 'string') return found
  throw new TurnpikeError('configuration-invalid', `--pid ${pid}: ${found}`)
}

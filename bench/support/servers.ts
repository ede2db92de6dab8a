/** TURN servers as child processes pinned to one core, and what their processes cost. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { ServerProcess } from '../../src/load/server-process.ts'

export const user = 'bench'
export const password = 'secret'

export interface PinnedServer {
  readonly name: string
  readonly pid: number
  readonly address: TransportAddress
  /** Seconds of processor time, user and system, all threads. */
  cpuSeconds(): number
  /** The same of each thread, by its number. */
  threadSeconds(): ReadonlyMap<string, number>
  residentBytes(): number
  /** What it has written to stdout, where that is kept. */
  output(): string
  stop(): Promise<void>
}

export async function startTurnpikeServer(
  core: number | string,
  flags: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<PinnedServer> {
  const port = await freePort()
  const child = spawn(
    'taskset',
    [
      ...['-c', `${core}`, process.execPath, ...nodeFlags, 'bin/turnpike.ts', 'serve'],
      ...['--listen', `udp://127.0.0.1:${port}`, '--user', `${user}:${password}`],
      ...['--allow-peer', '127.0.0.0/8', '--unauthenticated-rate', '0', '--log-level', 'warn'],
      ...['--relay-ports', '20000-60000', ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  // From the first line on: what it writes is kept.
  const server = pinned(`turnpike ${flags.join(' ')}`.trim(), child, port, () => {})
  await waitFor(child, /"event":"listening"/)
  return server
}

export async function startCoturn(core: number | string): Promise<PinnedServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-bench-'))
  const child = spawn(
    'taskset',
    [
      ...['-c', `${core}`, 'turnserver', '-n', '-L', '127.0.0.1', '-E', '127.0.0.1', '-p', `${port}`],
      ...['--lt-cred-mech', '-u', `${user}:${password}`, '-r', 'bench.example', '--allow-loopback-peers'],
      ...['--min-port', '20000', '--max-port', '60000', '--no-tcp', '--no-tls', '--no-dtls', '--no-cli'],
      ...['--log-file', '/dev/null', '--simple-log', '-m', '1', '--pidfile', join(folder, 'pid')],
      ...['--userdb', join(folder, 'db')],
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  )
  await new Promise((resolve) => setTimeout(resolve, 700))
  return pinned('coturn', child, port, () => rmSync(folder, { recursive: true, force: true }))
}

export async function startRival(core: number | string): Promise<PinnedServer> {
  const port = await freePort()
  const child = spawn('taskset', ['-c', `${core}`, process.execPath, 'bench/relay/rival.ts', `${port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await waitFor(child, /"event":"listening"/)
  return pinned('npm turn-server', child, port, () => {})
}

/** A forwarder on node:dgram that knows nothing of TURN. */
export async function startBare(core: number | string): Promise<PinnedServer> {
  const port = await freePort()
  const child = spawn('taskset', ['-c', `${core}`, process.execPath, 'bench/relay/bare.ts', `${port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await waitFor(child, /"event":"listening"/)
  return pinned('bare dgram', child, port, () => {})
}

/** A child process of one server, as the benchmarks see it. */
export function pinned(name: string, child: ChildProcess, port: number, cleanUp: () => void): PinnedServer {
  const pid = child.pid!
  const found = ServerProcess.find(pid)
  if (typeof found === 'string') throw new Error(`${name}: ${found}`)
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  return {
    name,
    pid,
    address: TransportAddress.of('127.0.0.1', port),
    cpuSeconds: () => found.cpuSeconds() ?? Number.NaN,
    threadSeconds: () => found.threadSeconds(),
    residentBytes: () => found.residentBytes() ?? Number.NaN,
    output: () => output,
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      cleanUp()
    },
  }
}

export function waitFor(child: ChildProcess, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout!.on('data', (chunk) => {
      output += chunk
      if (pattern.test(output)) resolve()
    })
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
  })
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

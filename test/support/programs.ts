/** Child processes for tests: started with a limit in time, read to the end, ended by their own pid. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'

export interface Ended {
  readonly code: number | null
  /** stdout and stderr as they came. */
  readonly output: string
  readonly stdout: string
  readonly stderr: string
}

export interface Child {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves with the first match in stdout or stderr; rejects if the program ends without one. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  /** Asks it to end (SIGTERM unless told otherwise) and waits until it has. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
}

export interface StartOptions {
  readonly timeoutSeconds?: number
  readonly env?: NodeJS.ProcessEnv
}

/** Limit: nothing of ours, and no program of these tests, takes so long to end. */
const stopSeconds = 60

export function run(command: string, args: readonly string[]): { status: number | null; stdout: string } {
  return spawnSync(command, args, { encoding: 'utf8' })
}

export function start(command: string, args: readonly string[], options: StartOptions = {}): Child {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  let output = ''
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  const onData = (isStdout: boolean) => (chunk: Buffer) => {
    output += chunk
    if (isStdout) stdout += chunk
    else stderr += chunk
    for (const watcher of watchers) watcher()
  }
  child.stdout.on('data', onData(true))
  child.stderr.on('data', onData(false))
  /** Whoever hangs is ended, and what it has written says so. */
  const killAfter = (seconds: number, what: string) =>
    setTimeout(() => {
      const line = `\n*** killed: ${what} ${seconds} s: ${[command, ...args].join(' ')}\n`
      output += line
      stderr += line
      child.kill('SIGKILL')
    }, seconds * 1000)
  const limits = [killAfter(options.timeoutSeconds ?? 120, 'it has not ended within')]
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => {
      for (const limit of limits) clearTimeout(limit)
      resolve({ code, output, stdout, stderr })
      for (const watcher of watchers) watcher()
    })
    child.on('error', (error) => {
      output += error.message
    })
  })
  return {
    process: child,
    ended,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const watcher = () => {
          const match = pattern.exec(output)
          if (match === null && child.exitCode === null && child.signalCode === null) return
          watchers.delete(watcher)
          if (match !== null) resolve(match)
          else reject(new Error(`${command} ended without ${pattern}:\n${output}`))
        }
        watchers.add(watcher)
        watcher()
      }),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      limits.push(killAfter(stopSeconds, `it has not ended by ${signal} within`))
      return ended
    },
  }
}

/** `turnpike` from the sources, with these arguments. */
export function startCli(args: readonly string[], options: StartOptions = {}): Child {
  return start(process.execPath, ['bin/turnpike.ts', ...args], options)
}

/** Limit: a whole file of tests on a slow machine. */
const serverSeconds = 600

/** `turnpike serve` on a port of loopback that the system chooses; resolves when it listens. */
export async function startTurnpike(flags: readonly string[]): Promise<Child & { port: number }> {
  const child = startCli(['serve', '--listen', 'udp://127.0.0.1:0', ...flags], {
    timeoutSeconds: serverSeconds,
  })
  const [line] = await child.waitFor(/^\{"event":"listening".*\}$/m)
  return { ...child, port: JSON.parse(line).listeners[0].port }
}

/** Which of the programs are not installed: `tellMissing`. */
export function missingPrograms(what: string, programs: readonly string[], cure: string): string[] {
  const missing = programs.filter((name) => run('sh', ['-c', `command -v ${name}`]).status !== 0)
  if (missing.length > 0) tellMissing(`${what}: ${missing.join(', ')} not found; ${cure}`)
  return missing
}

/** What tests miss is an error with CI=true; elsewhere it is said loudly. */
export function tellMissing(message: string): void {
  if (process.env.CI === 'true') throw new Error(message)
  console.warn(`\n*** SKIPPED: ${message}\n`)
}

/** Whether this machine has ::1: `tellMissing`. */
export function hasLoopback6(what: string): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  const has = addresses.some(({ address }) => address === '::1')
  if (has) return true
  tellMissing(`${what}: this machine has no ::1; sysctl net.ipv6.conf.lo.disable_ipv6=0`)
  return false
}

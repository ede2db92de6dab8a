/** A script in a network namespace of its own, where links have the MTU that a test wants. */

import { spawnSync } from 'node:child_process'
import { libcFor } from './libc.ts'
import { missingPrograms } from './programs.ts'

/** Why there can be none with a server in it, or `more` cannot be done there; undefined if all is well. */
export function missingNamespaces(what: string, more = 'true'): string | undefined {
  const libc = libcFor(what)
  if (typeof libc === 'string') return libc
  const missing = missingPrograms(what, ['unshare', 'ip', 'tc'], 'apt-get install iproute2 util-linux')
  if (missing.length > 0) return missing.join(', ')
  const { status, stderr } = spawnSync('unshare', ['-rn', 'sh', '-c', `ip link set lo up && ${more}`], {
    encoding: 'utf8',
  })
  if (status === 0) return undefined
  console.warn(`\n*** SKIPPED: ${what}: this machine does not allow it: ${stderr.trim()}\n`)
  return stderr
}

/** Runs the TypeScript file with loopback of that MTU, and gives what it prints as JSON. `more` is done before, by a shell. */
export function runInNamespace(
  script: string,
  mtu: number,
  args: readonly string[] = [],
  more = 'true',
): unknown {
  const setUp = `ip link set lo up mtu ${mtu} && ${more} && exec "$@"`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-rn', 'sh', '-c', setUp, 'sh', process.execPath, script, ...args],
    { encoding: 'utf8', timeout: 60_000 },
  )
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

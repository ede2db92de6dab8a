/** A script in a network namespace of its own, where links have the MTU that a test wants. */

import { spawnSync } from 'node:child_process'

/** Why there can be none, or `more` cannot be done in it; undefined if all is well. */
export function missingNamespaces(more = 'true'): string | undefined {
  const { status, stderr } = spawnSync('unshare', ['-rn', 'sh', '-c', `ip link set lo up && ${more}`], {
    encoding: 'utf8',
  })
  return status === 0 ? undefined : stderr?.trim() || 'no program unshare'
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

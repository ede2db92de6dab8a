/** Running a lab in network, mount and process namespaces of its own: whatever becomes of it, nothing of it is left. */

import { spawnSync } from 'node:child_process'
import { type Child, missingPrograms, start } from '../programs.ts'

// Where the programs are, also for those who are not root.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`

const flags = ['-n', '-m', '-p', '-f', '--mount-proc', '--kill-child']
/** Whoever is not root becomes it inside. */
const unshare = process.getuid?.() === 0 ? flags : ['-U', '-r', ...flags]

/** What a lab does first, in small. */
const attempt = `
  mount -t tmpfs tmpfs /run && mkdir /run/netns && mount --bind /run/netns /run/netns &&
  mount --make-shared /run/netns && ip netns add a && ip netns add b &&
  ip -n a link add x type veth peer name y netns b &&
  ip netns exec a nft add table ip t && ip netns exec a sysctl -qw net.ipv4.ip_forward=1`

/**
 * Why there can be no lab here, said loudly; undefined if there can. Programs that are missing are an error with CI=true;
 * a machine that forbids namespaces is not.
 */
export function missingLab(what: string): string | undefined {
  const cure = 'apt-get install iproute2 nftables util-linux'
  const missing = missingPrograms(what, ['unshare', 'ip', 'nft'], cure)
  if (missing.length > 0) return missing.join(', ')
  const { status, stderr, error } = spawnSync('unshare', [...unshare, 'sh', '-c', attempt], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (status === 0) return undefined
  const reason = stderr?.trim() || error?.message || `ended with ${status}`
  console.warn(`\n*** SKIPPED: ${what}: this machine allows no network namespaces with nftables: ${reason}\n`)
  return reason
}

/** Runs the TypeScript file as the first process of a lab. */
export function startLab(file: string, args: readonly string[], timeoutSeconds: number): Child {
  return start('unshare', [...unshare, process.execPath, file, ...args], { timeoutSeconds })
}

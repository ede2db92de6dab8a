/** Whether this process may open as many files as relaying may take: each relayed transport address is one. */

import { readFileSync } from 'node:fs'
import type { LimitsConfig } from './limits-config.ts'
import type { Log } from './log.ts'

/** What the rest takes: listeners, threads, certificates, signaling, a margin. Connections of clients come on top. */
const besides = 100

interface RelayConfig extends Pick<LimitsConfig, 'totalQuota'> {
  readonly relayPorts: { readonly min: number; readonly max: number }
}

/** The most files that `relayAddresses` addresses to relay from can need; an allocation has one of each family at most. */
export function openFilesNeeded({ relayPorts, totalQuota }: RelayConfig, relayAddresses: number): number {
  const ports = (relayPorts.max - relayPorts.min + 1) * relayAddresses
  const allocated = totalQuota > 0 ? totalQuota * Math.min(relayAddresses, 2) : ports
  return Math.min(ports, allocated) + besides
}

/** The soft limit that /proc/self/limits tells of, which Node has raised to the hard one; undefined where there is none. */
export function openFilesAllowed(limits: string): number | undefined {
  const text = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  return text === undefined || text === 'unlimited' ? undefined : Number(text)
}

/** Beyond the limit an Allocate is answered 508, and everybody else is served. Says nothing where there is no /proc. */
export function warnOfOpenFiles(config: RelayConfig, relayAddresses: number, log: Log): void {
  const allowed = openFilesAllowed(ownLimits())
  const needed = openFilesNeeded(config, relayAddresses)
  if (allowed === undefined || allowed >= needed) return
  log.warn(
    `--relay-ports may take ${needed} open files, and this process may have ${allowed}: raise that (ulimit -n ${needed}; systemd: LimitNOFILE=${needed}), or give fewer --relay-ports or a --total-quota`,
  )
}

function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return ''
  }
}

/** What a shard's log says: one line for each allocation's start and end, and what goes wrong around it. */

import type { Instant } from '../core/time.ts'
import type { AllocationRecord } from '../turn/allocation.ts'
import { type Log, logLevels } from './log.ts'
import { logNotice } from './log-notice.ts'
import type { ShardEvents } from './shard.ts'

export function shardLog(log: Log): ShardEvents {
  let faults = 0
  // What nobody will read is not written: addresses as text cost as much as the look-ups of an allocation.
  const hasInfo = log.level === undefined || logLevels.indexOf(log.level) <= logLevels.indexOf('info')
  return {
    // The first, the second, the fourth and so on: whoever has found such a packet can send many.
    faulted: (error) => {
      faults++
      if ((faults & (faults - 1)) !== 0) return
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
      log.error('a packet was dropped for a fault of this server: please report it', { times: faults, what })
    },
    allocationCreated: (allocation) => {
      if (hasInfo) log.info('allocation started', fieldsOf(allocation))
    },
    allocationMoved: (allocation, from) =>
      log.info('allocation moved', { ...fieldsOf(allocation), from: `${from}` }),
    allocationEnded: (allocation, reason, now) => {
      if (hasInfo) logEnd(log, allocation, reason, now)
    },
    notice: (notice) => logNotice(log, notice),
    systemRefused: (what, reason) => log.debug('the system refused', { what, reason }),
    streamEnded: (transport, client, reason) =>
      log.debug('connection ended', { transport, client: `${client}`, reason }),
  }
}

function logEnd(log: Log, allocation: AllocationRecord, reason: string, now: Instant): void {
  log.info('allocation ended', {
    ...fieldsOf(allocation),
    bytesFromClient: allocation.bytesFromClient,
    bytesToClient: allocation.bytesToClient,
    seconds: Math.round((now - allocation.createdAt) / 1000),
    reason,
  })
}

function fieldsOf(allocation: AllocationRecord) {
  return {
    id: allocation.id,
    transport: allocation.transport,
    client: `${allocation.client}`,
    relayed: allocation.relayedAddresses.join(' '),
    user: allocation.username,
  }
}

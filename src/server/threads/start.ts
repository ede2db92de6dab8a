/** Whether UDP is served by threads, starting them, and saying what came of it. */

import { isBuiltin } from 'node:module'
import { TurnpikeError } from '../../core/errors.ts'
import type { Host } from '../../core/host.ts'
import { NodeHost } from '../../net/node-host.ts'
import type { ServeConfig } from '../config.ts'
import type { Surroundings } from '../engine.ts'
import { workerCount } from '../io-config.ts'
import { probeListeners } from '../listeners.ts'
import type { Log } from '../log.ts'
import type { QuotaLedger } from '../quota-ledger.ts'
import type { TransferExchange } from '../transfer-exchange.ts'
import { ThreadShards } from './thread-shards.ts'

/** A simulated host has no threads; one shard over node:dgram needs none. */
export function hasThreads(config: ServeConfig, host: Host): boolean {
  if (!(host instanceof NodeHost) || config.listen.every(({ transport }) => transport !== 'udp')) return false
  return workerCount(config) > 1 || config.io === 'mmsg' || (config.io === 'auto' && isBuiltin('node:ffi'))
}

/** Undefined, with a warning, where this process may not have threads, or has no descriptors left for them. */
export async function startThreads(
  config: ServeConfig,
  around: Surroundings,
  host: Host,
  log: Log,
  ledger: QuotaLedger,
  exchange: TransferExchange,
): Promise<ThreadShards | undefined> {
  await probeListeners(config.listen, host)
  try {
    return await ThreadShards.start(config, around, host, log, ledger, exchange)
  } catch (error) {
    if (error instanceof TurnpikeError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    log.warn('no threads: UDP is served in the main one', { reason, workers: workerCount(config) })
    return undefined
  }
}

export function logIo(config: ServeConfig, host: Host, threads: ThreadShards | undefined, log: Log): void {
  const hasUdp = config.listen.some(({ transport }) => transport === 'udp')
  if (!(host instanceof NodeHost) || !hasUdp) return
  const noFfi = config.io === 'auto' && !isBuiltin('node:ffi') ? 'no node:ffi' : undefined
  const report = threads?.io ?? { io: 'dgram', via: 'node:dgram', because: noFfi }
  log.info('serving UDP', { ...report, workers: threads?.count ?? 1 })
}

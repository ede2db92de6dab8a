/** Which UDP driver the main thread takes: where it serves streams, it relays for them, and best by batched system calls. */

import type { Host } from '../core/host.ts'
import { HostUdpDriver } from '../net/host-udp-driver.ts'
import { NodeHost } from '../net/node-host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../net/udp-driver.ts'
import { LoopDriver } from '../net/udp-mmsg/loop-driver.ts'
import type { ServeConfig } from './config.ts'
import type { Log } from './log.ts'

export interface MainDriver {
  create(handlers: UdpDriverHandlers): UdpDriver
  /** Resolves when no thread of it is left. */
  stop(): Promise<void>
}

export function mainDriver(config: ServeConfig, host: Host, log: Log): MainDriver {
  const hasStreams = config.listen.some(({ transport }) => transport !== 'udp')
  const loop =
    hasStreams && config.io !== 'dgram' && host instanceof NodeHost ? LoopDriver.open(host.clock) : undefined
  if (loop instanceof LoopDriver) {
    return { create: (handlers) => loop.createDriver(handlers), stop: () => loop.stop() }
  }
  if (loop !== undefined) log.debug('relaying for TCP and TLS by node:dgram', { because: loop })
  return { create: (handlers) => new HostUdpDriver(host, handlers), stop: async () => {} }
}

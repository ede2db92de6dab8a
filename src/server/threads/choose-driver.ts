/** Which UDP driver a thread takes: the best one that works here, or the one that was asked for. */

import type { Clock } from '../../core/host.ts'
import { HostUdpDriver } from '../../net/host-udp-driver.ts'
import type { NodeHost } from '../../net/node-host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../../net/udp-driver.ts'
import { MmsgThread } from '../../net/udp-mmsg/mmsg-thread.ts'
import type { IoReport } from '../io-config.ts'
import type { ThreadData } from './messages.ts'

export interface ChosenDriver {
  readonly clock: Clock
  readonly create: (handlers: UdpDriverHandlers) => UdpDriver
  /** Undefined for node:dgram. */
  readonly mmsg: MmsgThread | undefined
  readonly report: IoReport
}

export function chooseDriver(data: ThreadData, host: NodeHost): ChosenDriver {
  const mmsg =
    data.io === 'dgram'
      ? undefined
      : MmsgThread.open(host.clock, { reusePort: data.sharesPorts, descriptors: data.descriptors })
  if (mmsg !== undefined && typeof mmsg !== 'string') {
    const report = { io: 'mmsg', via: mmsg.via, because: mmsg.because } as const
    return { clock: mmsg.clock, create: (handlers) => mmsg.createDriver(handlers), mmsg, report }
  }
  return {
    clock: host.clock,
    create: (handlers) => new HostUdpDriver(host, handlers, data.sharesPorts),
    mmsg: undefined,
    report: { io: 'dgram', via: 'node:dgram', because: mmsg },
  }
}

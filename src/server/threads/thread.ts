/** A shard in a thread of its own: started by thread-shard.ts, which it answers 'ready' or 'failed', and then serves. */

import { parentPort, workerData } from 'node:worker_threads'
import { TurnpikeError, unreachable } from '../../core/errors.ts'
import type { Clock } from '../../core/host.ts'
import { HostUdpDriver } from '../../net/host-udp-driver.ts'
import { NodeHost } from '../../net/node-host.ts'
import type { UdpDriver, UdpDriverHandlers } from '../../net/udp-driver.ts'
import { MmsgThread } from '../../net/udp-mmsg/mmsg-thread.ts'
import { CounterWriter } from '../counter-board.ts'
import { createEngine } from '../engine.ts'
import { openListeners } from '../listeners.ts'
import { type Log, type LogFields, type LogLevel, logLevels } from '../log.ts'
import { Shard } from '../shard.ts'
import { shardLog } from '../shard-log.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { pack, unpack } from './transfer.ts'

/** How old what others read of our counters may be. */
const counterIntervalMs = 100

const port = parentPort!
const data = unpack<ThreadData>(workerData)
const host = new NodeHost()
const log = forwardingLog(data.logLevel)

interface Driver {
  readonly clock: Clock
  readonly create: (handlers: UdpDriverHandlers) => UdpDriver
  readonly mmsg: MmsgThread | undefined
  readonly reason: string | undefined
}

try {
  await serve(chooseDriver())
} catch (error) {
  if (!(error instanceof TurnpikeError)) throw error
  tell({ type: 'failed', code: error.code, message: error.message })
  port.close()
}

async function serve({ clock, create, mmsg, reason }: Driver): Promise<void> {
  const { config, around } = data
  const engine = createEngine(config, around, {
    clock,
    random: host.random,
    canSetDontFragment: mmsg !== undefined,
  })
  const shard = new Shard(engine, clock, create, undefined, shardLog(log), {
    claim: (claim, userId, count) => tell({ type: 'claim-quota', claim, userId, count }),
    giveBack: (userId, count) => tell({ type: 'return-quota', userId, count }),
  })
  const counters = new CounterWriter(data.counters, engine.counters)
  mmsg?.start(counterIntervalMs, () => counters.write())
  const timer = mmsg === undefined ? setInterval(() => counters.write(), counterIntervalMs) : undefined
  const end = () => {
    shard.close()
    mmsg?.stop()
    clearInterval(timer)
    counters.write()
  }
  const close = () => {
    end()
    port.close()
  }
  port.on('message', (packed) => {
    const message = unpack<ToThread>(packed)
    switch (message.type) {
      case 'quota-decided':
        shard.quotaDecided(message.claim, message.userId, message.count, message.decision)
        return
      case 'close':
        close()
        return
      default:
        unreachable(message)
    }
  })
  const listeners = await openListeners(config.listen, [], shard, log).catch((error) => {
    // Or this thread would go on waiting for packets, and nobody would hear of the failure.
    end()
    throw error
  })
  tell({ type: 'ready', io: mmsg === undefined ? 'dgram' : 'mmsg', reason, listeners, wakeUp: mmsg?.wakeUp })
}

function chooseDriver(): Driver {
  const mmsg = data.io === 'dgram' ? undefined : MmsgThread.open(host.clock, { reusePort: data.sharesPorts })
  if (mmsg !== undefined && typeof mmsg !== 'string') {
    return { clock: mmsg.clock, create: (handlers) => mmsg.createDriver(handlers), mmsg, reason: undefined }
  }
  return {
    clock: host.clock,
    create: (handlers) => new HostUdpDriver(host, handlers, data.sharesPorts),
    mmsg: undefined,
    reason: mmsg,
  }
}

function tell(message: FromThread): void {
  port.postMessage(pack(message))
}

/** What is logged here is written by the main thread, for there is one stderr. */
function forwardingLog(level: LogLevel): Log {
  const threshold = logLevels.indexOf(level)
  const forward =
    (lineLevel: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(lineLevel) >= threshold) tell({ type: 'log', level: lineLevel, message, fields })
    }
  return {
    level,
    debug: forward('debug'),
    info: forward('info'),
    warn: forward('warn'),
    error: forward('error'),
  }
}

/** A shard in a thread of its own: started by thread-shard.ts, which it answers 'ready' or 'failed', and then serves. */

import { parentPort, workerData } from 'node:worker_threads'
import { TurnpikeError, unreachable } from '../../core/errors.ts'
import { NodeHost } from '../../net/node-host.ts'
import { CounterWriter } from '../counter-board.ts'
import { createEngine } from '../engine.ts'
import { openListeners } from '../listeners.ts'
import { type Log, type LogFields, type LogLevel, logLevels } from '../log.ts'
import { Shard } from '../shard.ts'
import { shardLog } from '../shard-log.ts'
import { type ChosenDriver, chooseDriver } from './choose-driver.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { pack, unpack } from './transfer.ts'

/** How old what others read of our counters may be. */
const counterIntervalMs = 100

const port = parentPort!
const data = unpack<ThreadData>(workerData)
const host = new NodeHost()
const log = forwardingLog(data.logLevel)

try {
  await serve(chooseDriver(data, host))
} catch (error) {
  if (!(error instanceof TurnpikeError)) throw error
  tell({ type: 'failed', code: error.code, message: error.message })
  port.close()
}

async function serve({ clock, create, mmsg, report }: ChosenDriver): Promise<void> {
  const { config, around, engine: number } = data
  const canSetDontFragment = mmsg !== undefined
  const engine = createEngine(config, around, {
    clock,
    random: host.random,
    engine: number,
    canSetDontFragment,
  })
  const shard = new Shard(engine, clock, create, undefined, shardLog(log), {
    claim: (claim, userId, count) => tell({ type: 'claim-quota', claim, userId, count }),
    giveBack: (userId, count) => tell({ type: 'return-quota', userId, count }),
    fetch: (id, owner, key) => tell({ type: 'fetch', id, owner, key }),
    partner: (input) => tell({ type: 'for-partner', input }),
  })
  const counters = new CounterWriter(data.counters, engine.counters)
  mmsg?.start(counterIntervalMs, () => counters.write())
  const timer = mmsg === undefined ? setInterval(() => counters.write(), counterIntervalMs) : undefined
  const close = () => {
    shard.close()
    mmsg?.stop()
    clearInterval(timer)
    counters.write()
    port.close()
  }
  port.on('message', (packed) => handle(unpack(packed), shard, close))
  const listeners = await openListeners(config.listen, [], shard, log)
  tell({ type: 'ready', io: report, listeners, wakeUp: mmsg?.wakeUp })
}

function handle(message: ToThread, shard: Shard, close: () => void): void {
  switch (message.type) {
    case 'quota-decided':
      shard.quotaDecided(message.claim, message.userId, message.count, message.decision)
      return
    case 'give': {
      const { question, key, engine } = message
      tell({ type: 'given', question, answer: shard.give(key, engine) })
      return
    }
    case 'fetched':
      shard.fetched(message.id, message.answer)
      return
    case 'list-allocations':
      tell({ type: 'allocations', question: message.question, allocations: shard.allocations() })
      return
    case 'partner-order':
      shard.partnerOrder(message.order)
      return
    case 'reseat':
      shard.reseat().then(() => tell({ type: 'reseated', question: message.question }))
      return
    case 'retire':
      shard.retire()
      return
    case 'close':
      close()
      return
    default:
      unreachable(message)
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

/** A running TURN server: configuration in, sockets open, one log line for each allocation's start and end. */

import type { Clock, Host, TlsCertificate } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { AllocationRecord } from '../turn/allocation.ts'
import type { ServerCounters } from '../turn/counters.ts'
import type { RelayAddress } from '../turn/relay-address.ts'
import { alternateListeners } from './alternate-config.ts'
import { CertificateWatch, describe, readCertificates } from './certificates.ts'
import {
  checkAlternates,
  checkConfig,
  concreteAddresses,
  relayAddresses,
  type ServeConfig,
} from './config.ts'
import { sumCounters } from './counter-board.ts'
import { credentialsOf } from './credentials-config.ts'
import { createEngine } from './engine.ts'
import { type OpenListener, openListeners, probeListeners } from './listeners.ts'
import type { Log } from './log.ts'
import { mainDriver } from './main-driver.ts'
import { resolvePartners } from './partner-addresses.ts'
import { reloadPartnerKeys } from './partner-key.ts'
import { PartnerLinks } from './partner-links.ts'
import { QuotaLedger } from './quota-ledger.ts'
import { probeRelayAddress, probeTcpRelay } from './relay-probe.ts'
import { Shard, type ShardDesk } from './shard.ts'
import { shardLog } from './shard-log.ts'
import { newSharedState } from './shared-memory.ts'
import { StreamCounters } from './stream-counters.ts'
import { StreamSide } from './stream-side.ts'
import { streamsOptionsOf } from './streams-config.ts'
import { hasThreads, logIo, startThreads } from './threads/start.ts'
import { TransferExchange } from './transfer-exchange.ts'
import { usableAlternates } from './usable-alternates.ts'

/** The engine of the main thread; those of others have the numbers behind it. */
const mainEngine = 1

/** How often to look whether the last allocation has ended: longer than counters of threads are old. */
const drainLookMs = 250

export interface RunningServer {
  readonly listeners: readonly OpenListener[]
  readonly relays: readonly RelayAddress[]
  readonly counters: ServerCounters
  /** Of connections by TCP and TLS. */
  readonly streamCounters: StreamCounters
  /** The allocations that there are now. */
  allocations(): Promise<readonly AllocationRecord[]>
  /**
   * From now on there are no new allocations (508); those that there are go on. Resolves when the last has ended.
   */
  drain(): Promise<void>
  /** The machines that have the second address of NAT behavior discovery, and whether they are there. */
  readonly partners: PartnerLinks['states']
  /** Looks at the certificates' files now, rather than in a few seconds, and at that of the partners' key. */
  reload(): void
  /** Ends every allocation and closes every socket, at once; resolves when no thread is left. */
  close(): Promise<void>
}

/**
 * Opens everything or nothing. Rejects with a TurnpikeError that says what to do: `no-credentials`,
 * `configuration-invalid`, `relay-address-unavailable`, `listen-failed`.
 */
export async function startServer(given: ServeConfig, host: Host, log: Log): Promise<RunningServer> {
  checkConfig(given)
  const interfaces = host.interfaces()
  const relays = relayAddresses(given, interfaces)
  await probeListeners(given.listen, host)
  await Promise.all(relays.map(({ address }) => probeRelayAddress(address, host)))
  if (given.tcpRelay) await Promise.all(relays.map(({ address }) => probeTcpRelay(address, host)))
  const alternates = await usableAlternates(given, host, log)
  const partners = await resolvePartners(given, host, log)
  const pairs = partners.map(({ bound }) => ({ transport: 'udp' as const, bound }))
  const added = alternateListeners([...alternates, ...pairs], given.listen)
  const config = { ...given, listen: [...given.listen, ...added] }
  const ownAddresses = [
    ...config.listen.flatMap(({ address }) => concreteAddresses(address, interfaces)),
    ...alternates.flatMap(({ advertised }) => advertised),
    ...partners.flatMap(({ addresses }) => addresses),
  ]
  checkAlternates(config, ownAddresses)
  const isThreaded = hasThreads(config, host)
  const shared = isThreaded
    ? newSharedState(config, relays.length, config.relayPorts, host.random)
    : undefined
  const around = { ownAddresses, relays, alternates, partners, nonceKey: host.random.bytes(32), shared }
  const ledger = new QuotaLedger(config, shared?.rates)
  const exchange = new TransferExchange(ledger, {
    relays,
    range: config.relayPorts,
    memory: shared?.relayPorts ?? [],
  })
  const certificates = readCertificates(config.tlsCertificates)
  const threads = isThreaded ? await startThreads(config, around, host, log, ledger, exchange) : undefined
  const { clock, random } = host
  const engine = createEngine(config, around, {
    clock,
    random,
    engine: mainEngine,
    canSetDontFragment: false,
  })
  const udp = mainDriver(config, host, log)
  const shard = new Shard(
    engine,
    clock,
    (handlers) => udp.create(handlers),
    (owner) => new StreamSide(engine, host, streamsOptionsOf(config, config.allowLegacyChannels), owner),
    shardLog(log),
    mainDesk(
      ledger,
      exchange,
      () => shard,
      (input) => links.handle(input),
    ),
  )
  const links = new PartnerLinks(partners, host, log, (order) => {
    if (threads === undefined) shard.partnerOrder(order)
    else threads.partnerOrder(order)
  })
  threads?.onPartnerInput((input) => links.handle(input))
  const close = async () => {
    links.close()
    shard.close()
    await udp.stop()
    await threads?.close()
  }
  try {
    const here = config.listen.filter(({ transport }) => threads === undefined || transport !== 'udp')
    const opened = await openListeners(here, certificates, shard, log)
    const listeners = inOrderOf(config.listen, [...(threads?.listeners ?? []), ...opened])
    logIo(config, host, threads, log)
    if (credentialsOf(config)?.algorithms.includes('SHA-256') === false) {
      log.info('SHA-256 is not offered: a user is configured by an MD5 key, --user name:0xKEY')
    }
    if (config.noAuth) log.warn('no authentication: everybody who reaches this server may relay through it')
    for (const { certificate } of certificates) log.info('certificate loaded', describe(certificate))
    const apply = (fresh: readonly TlsCertificate[]) => shard.setCertificates(fresh)
    links.start()
    const watch = new CertificateWatch(config.tlsCertificates, certificates, apply, clock, log)
    const allocations = async () => [...shard.allocations(), ...((await threads?.allocations()) ?? [])]
    return {
      listeners,
      relays,
      get counters() {
        return threads === undefined ? engine.counters : sumCounters(engine.counters, threads.counters())
      },
      streamCounters: shard.streamCounters ?? new StreamCounters(),
      allocations,
      drain: () => {
        shard.retire()
        threads?.retire()
        const count = () => engine.counters.allocations + (threads?.counters().allocations ?? 0)
        return drained(clock, count, allocations)
      },
      get partners() {
        return links.states
      },
      reload: () => {
        watch.check()
        reloadPartnerKeys(config, links, log)
      },
      close: () => {
        watch.close()
        return close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** For the shard in the main thread: it is told at once. */
function mainDesk(
  ledger: QuotaLedger,
  exchange: TransferExchange,
  shard: () => Shard,
  partner: ShardDesk['partner'],
): ShardDesk {
  const quota = ledger.join()
  exchange.join(mainEngine, {
    quota,
    give: (question, key, engine) => exchange.given(question, shard().give(key, engine)),
    fetched: (id, answer) => shard().fetched(id, answer),
  })
  return {
    claim: (claim, userId, count) =>
      shard().quotaDecided(claim, userId, count, ledger.claim(quota, userId, count)),
    giveBack: (userId, count) => ledger.giveBack(quota, userId, count),
    fetch: (id, owner, key) => exchange.fetch(mainEngine, id, owner, key),
    partner,
  }
}

/** Resolves when there are no allocations any more. Counters of threads may be old: what they say is asked for again. */
function drained(clock: Clock, count: () => number, list: () => Promise<readonly unknown[]>): Promise<void> {
  return new Promise((resolve) => {
    const look = async () => {
      if (count() === 0 && (await list()).length === 0) resolve()
      else again()
    }
    const again = () => clock.schedule(later(clock.now(), drainLookMs), look)
    again()
  })
}

/** Listeners as the configuration has them, whoever has opened them. */
function inOrderOf(listen: ServeConfig['listen'], opened: readonly OpenListener[]): OpenListener[] {
  const rank = ({ transport, address }: OpenListener) =>
    listen.findIndex(
      (asked) =>
        asked.transport === transport &&
        asked.address.ip === address.ip &&
        (asked.address.port === 0 || asked.address.port === address.port),
    )
  return [...opened].sort((x, y) => rank(x) - rank(y))
}

/**
 * What a TURN server carries for one client: paced packets from one allocation to another, twice the rate in each step,
 * until packets are lost. What is limited may be the network, the server or this client: the report says what was seen.
 */

import type { Host } from '../core/host.ts'
import { type Instant, later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { TurnConnection } from '../net/turn-connection.ts'
import { dialTurn } from '../net/turn-dial.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import { channelDataHeaderBytes } from '../turn/channel-data.ts'
import { formatTurnFailure } from '../turn/client/failure.ts'
import type { TurnClientEvent } from '../turn/client/outputs.ts'
import { settled } from './check/waiting.ts'
import { Run } from './run.ts'
import { type RoundTrips, summarize } from './statistics.ts'

export const throughputSchema = 'turnpike.throughput/1'

export interface ThroughputPlan {
  /** Of goodput, in the order in which they are tried. */
  readonly mbitsPerSecond: readonly number[]
  readonly secondsPerStep: number
  readonly payloadBytes: number
}

export interface ThroughputStep {
  readonly targetMbits: number
  /** What this client has got rid of. */
  readonly sentMbits: number
  readonly goodputMbits: number
  /** To the server, through both relays and back; `loss` is a fraction. */
  readonly roundTrips: RoundTrips
  /** Packets that came after later ones. */
  readonly reordered: number
}

/** What ended it: packets were lost, this client could not send faster, every step was passed, or it was stopped. */
export type ThroughputEnd = 'loss' | 'client' | 'plan' | 'interrupted'

export interface ThroughputReport {
  readonly schema: typeof throughputSchema
  readonly tool: string
  readonly server: string
  readonly transport: 'udp' | 'tcp' | 'tls' | null
  readonly plan: ThroughputPlan & { readonly mostBytes: number }
  readonly relays: readonly string[]
  readonly steps: readonly ThroughputStep[]
  /** The most that went through with no more loss than `tolerableLoss`; null if no step did. */
  readonly bestMbits: number | null
  readonly end: ThroughputEnd | null
  /** Why nothing was measured; null if something was. */
  readonly failure: Fault | null
}

export interface ThroughputOptions {
  readonly uri: ServerUri
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly plan: ThroughputPlan
  readonly tool?: string
  readonly signal?: AbortSignal | undefined
  readonly onStep?: ((text: string) => void) | undefined
}

export const tolerableLoss = 0.01
/** A client that sends less than this of what it wants to send is the limit itself. */
const leastOfTarget = 0.9

const setUpMs = 10_000
const lastWaitMs = 1000
const headerBytes = 12
const ipAndUdpBytes = 28
/** Limit: what is sent at one time, so that the system's buffers hold it. */
const tickMs = 5
const mostPerTick = 400

/** Bytes on the wire, up and down together, with headers of IPv4 and UDP. */
export function bytesOf({ mbitsPerSecond, secondsPerStep, payloadBytes }: ThroughputPlan): number {
  const perPacket = payloadBytes + channelDataHeaderBytes + ipAndUdpBytes
  const payload = (mbitsPerSecond.reduce((sum, one) => sum + one, 0) * 1e6 * secondsPerStep) / 8
  return Math.ceil((payload / payloadBytes) * perPacket * 2)
}

/** 1, 2, 4 … up to that, which is the last one. */
export function doublingUpTo(most: number): number[] {
  const steps: number[] = []
  for (let mbits = 1; mbits < most; mbits *= 2) steps.push(mbits)
  return [...steps, most]
}

export async function probeThroughput(host: Host, options: ThroughputOptions): Promise<ThroughputReport> {
  const { plan, signal, onStep } = options
  const stepMs = plan.secondsPerStep * 1000 + lastWaitMs + 500
  const run = new Run(host, 2 * setUpMs + plan.mbitsPerSecond.length * stepMs, onStep)
  const stop = () => run.stop()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()
  const ends: RelayEnd[] = []
  try {
    run.onStep('making two allocations')
    for (let i = 0; i < 2; i++) ends.push(new RelayEnd(run, options))
    const [one, two] = ends as [RelayEnd, RelayEnd]
    const found = (await one.ready()) ?? (await two.ready()) ?? (await one.open(two)) ?? (await two.open(one))
    if (found !== undefined) {
      return run.isOver && signal?.aborted === true
        ? reportOf(options, ends, [], 'interrupted', null)
        : reportOf(options, ends, [], null, found)
    }
    const { steps, end } = await climb(run, plan, one, two)
    return reportOf(options, ends, steps, end, null)
  } finally {
    signal?.removeEventListener('abort', stop)
    await Promise.all(ends.map((relay) => relay.release(host)))
    run.close()
  }
}

interface Fault {
  readonly what: string
  /** The credentials were. */
  readonly isRefused: boolean
  /** Nothing answers. */
  readonly isUnreachable: boolean
}

function fault(what: string, is: Partial<Fault> = {}): Fault {
  return { what, isRefused: false, isUnreachable: false, ...is }
}

/** One allocation, and what its server says of it. */
class RelayEnd {
  readonly connection: TurnConnection
  readonly #run: Run
  readonly #events: TurnClientEvent[] = []
  #heard = () => {}
  onData: (bytes: Uint8Array) => void = () => {}

  constructor(run: Run, { uri, credentials }: ThroughputOptions) {
    this.#run = run
    this.connection = dialTurn(
      run.host,
      { uri, credentials },
      {
        event: (event) => {
          this.#events.push(event)
          this.#heard()
        },
        data: (bytes) => this.onData(bytes),
      },
    )
  }

  get relayed(): TransportAddress | undefined {
    return this.connection.allocation?.relayed[0]
  }

  /** Undefined when there is an allocation. */
  async ready(): Promise<Fault | undefined> {
    const event = await this.#until(({ type }) => type === 'allocated' || type === 'failed')
    if (event === 'late') return fault('the server makes no allocation in time', { isUnreachable: true })
    if (event.type !== 'failed') return undefined
    const { failure } = event
    return fault(`the server makes no allocation: ${formatTurnFailure(failure)}`, {
      isRefused: failure.type === 'rejected' && (failure.code === 401 || failure.code === 441),
      isUnreachable: failure.type === 'timed-out' || failure.type === 'transport-failed',
    })
  }

  /** A channel to the other one. */
  async open(other: RelayEnd): Promise<Fault | undefined> {
    const peer = other.relayed!
    this.connection.bindChannel(peer)
    const event = await this.#until(
      (one) => (one.type === 'channel-bound' || one.type === 'channel-refused') && one.peer.equals(peer),
    )
    if (event === 'late') return fault('the server binds no channel in time')
    if (event.type !== 'channel-refused') return undefined
    const said = formatTurnFailure(event.failure)
    return fault(`the server does not let one of its relays send to another: ${said}`)
  }

  /** Gives it back, and waits until the server has heard. */
  release(host: Host): Promise<void> {
    return new Promise((resolve) => {
      const isOver = ({ type }: TurnClientEvent) => type === 'closed' || type === 'failed'
      if (this.#events.some(isOver)) return resolve()
      const { clock } = host
      const cancel = clock.schedule(later(clock.now(), 3000), () => {
        this.connection.destroy()
        resolve()
      })
      this.#heard = () => {
        if (!this.#events.some(isOver)) return
        cancel()
        resolve()
      }
      this.connection.close()
    })
  }

  #until(holds: (event: TurnClientEvent) => boolean): Promise<TurnClientEvent | 'late'> {
    return settled<TurnClientEvent>(this.#run, setUpMs, (done) => {
      this.#heard = () => {
        const found = this.#events.find(holds)
        if (found !== undefined) done(found)
      }
      this.#heard()
    })
  }
}

async function climb(
  run: Run,
  plan: ThroughputPlan,
  one: RelayEnd,
  two: RelayEnd,
): Promise<{ steps: ThroughputStep[]; end: ThroughputEnd }> {
  const steps: ThroughputStep[] = []
  for (const [number, targetMbits] of plan.mbitsPerSecond.entries()) {
    run.onStep(`${targetMbits} Mbit/s`)
    const step = await measure(run, plan, number, targetMbits, one, two)
    if (run.isOver || step === undefined) {
      if (step !== undefined) steps.push(cutShort(step))
      return { steps, end: 'interrupted' }
    }
    steps.push(step)
    if ((step.roundTrips.loss ?? 1) > tolerableLoss) return { steps, end: 'loss' }
    if (step.sentMbits < leastOfTarget * targetMbits) return { steps, end: 'client' }
  }
  return { steps, end: 'plan' }
}

/** What was under way when it was stopped is neither lost nor not. */
function cutShort(step: ThroughputStep): ThroughputStep {
  return { ...step, roundTrips: { ...step.roundTrips, loss: null } }
}

/** One rate for its time: each tick sends what is due by then, so that a late one does not slow it down. */
async function measure(
  run: Run,
  { payloadBytes, secondsPerStep }: ThroughputPlan,
  number: number,
  targetMbits: number,
  one: RelayEnd,
  two: RelayEnd,
): Promise<ThroughputStep | undefined> {
  const { clock } = run.host
  const packets = Math.max(1, Math.round((targetMbits * 1e6 * secondsPerStep) / 8 / payloadBytes))
  const sentAt: Instant[] = []
  const roundTrips: (number | undefined)[] = new Array(packets)
  let received = 0
  let highest = -1
  let reordered = 0
  two.onData = (bytes) => {
    const at = readSequence(bytes, number)
    if (at === undefined || sentAt[at] === undefined || roundTrips[at] !== undefined) return
    roundTrips[at] = clock.now() - sentAt[at]
    received++
    if (at < highest) reordered++
    highest = Math.max(highest, at)
  }
  const startedAt = clock.now()
  let sent = 0
  while (sent < packets && clock.now() - startedAt < secondsPerStep * 1000) {
    const due = Math.min(
      packets,
      Math.ceil(((clock.now() - startedAt + tickMs) / 1000 / secondsPerStep) * packets),
    )
    for (let i = 0; sent < due && i < mostPerTick; i++) {
      sentAt.push(clock.now())
      one.connection.send(packet(payloadBytes, number, sent++), two.relayed!)
    }
    if (sent < packets && !(await run.sleep(tickMs))) break
  }
  const sendingMs = Math.max(1, clock.now() - startedAt, run.isOver ? 0 : secondsPerStep * 1000)
  for (let waited = 0; received < sent && waited < lastWaitMs; waited += 50) {
    if (!(await run.sleep(50))) break
  }
  two.onData = () => {}
  if (sent === 0) return undefined
  const back = roundTrips.filter((rtt) => rtt !== undefined)
  const mbits = (count: number) => Math.round((count * payloadBytes * 8) / sendingMs / 10) / 100
  return {
    targetMbits,
    sentMbits: mbits(sent),
    goodputMbits: mbits(received),
    roundTrips: summarize(back, sent),
    reordered,
  }
}

function packet(length: number, step: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, mark)
  view.setUint32(4, step)
  view.setUint32(8, sequence)
  return bytes
}

/** What says that a packet is one of ours. */
const mark = 0x7470_6d62

function readSequence(bytes: Uint8Array, step: number): number | undefined {
  if (bytes.length < headerBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return view.getUint32(0) === mark && view.getUint32(4) === step ? view.getUint32(8) : undefined
}

function reportOf(
  { uri, plan, tool = 'turnpike' }: ThroughputOptions,
  ends: readonly RelayEnd[],
  steps: readonly ThroughputStep[],
  end: ThroughputEnd | null,
  failure: Fault | null,
): ThroughputReport {
  const passed = steps.filter(({ roundTrips }) => (roundTrips.loss ?? 1) <= tolerableLoss)
  return {
    schema: throughputSchema,
    tool,
    server: formatServerUri(uri),
    transport: ends[0]?.connection.transport ?? null,
    plan: { ...plan, mostBytes: bytesOf(plan) },
    relays: ends.flatMap(({ relayed }) => (relayed === undefined ? [] : [`${relayed}`])),
    steps,
    bestMbits: passed.length === 0 ? null : Math.max(...passed.map(({ goodputMbits }) => goodputMbits)),
    end,
    failure,
  }
}

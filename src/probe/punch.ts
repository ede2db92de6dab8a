/**
 * Two hosts try for real whether they can connect: ICE (RFC 8445) without relays, each side's data heard by the other, and
 * what came of it beside what was predicted. How the two offers get from one side to the other is the caller's affair.
 */

import type { Host } from '../core/host.ts'
import { randomBelow } from '../core/random.ts'
import { later } from '../core/time.ts'
import type { CandidateDescription } from '../ice/candidate.ts'
import type { IceCredentials } from '../ice/credentials.ts'
import type { PairSummary } from '../ice/outputs.ts'
import type { IceRole } from '../ice/role.ts'
import type { IceTransportOptions } from '../net/ice/options.ts'
import { type IceTransport, openIce } from '../net/ice/transport.ts'
import { type Finding, known, unknown } from './behavior.ts'
import { type KnownNetwork, type Prediction, predict } from './predict.ts'
import type { PunchOffer } from './punch-code.ts'

export const punchSchema = 'turnpike.punch/1'

export interface PunchOptions {
  /** The side that begins is controlling. */
  readonly role: IceRole
  /** `stun:` URIs. */
  readonly servers: readonly string[]
  /** What is known of our own network. */
  readonly network: KnownNetwork
  /** Loopback addresses too, for tests on one host. */
  readonly interfaces?: IceTransportOptions['interfaces']
}

export interface TriedPair {
  readonly local: string
  readonly remote: string
  readonly state: string
  readonly failure: string | null
}

export interface PunchPath {
  readonly local: { readonly type: string; readonly address: string }
  readonly remote: { readonly type: string; readonly address: string }
  readonly rttMs: number | null
}

export interface PunchReport {
  readonly schema: typeof punchSchema
  readonly connected: Finding<boolean>
  readonly path: PunchPath | null
  /** From the first try to the first data that arrived. */
  readonly firstDataMs: number | null
  /** Whose packet came through first. */
  readonly first: 'ours' | 'theirs' | null
  readonly prediction: Prediction
  readonly asPredicted: Finding<boolean>
  readonly pairs: readonly TriedPair[]
}

export interface PunchTry {
  /** How long to try before it counts as a no. */
  readonly limitMs: number
  /** The other side may begin much later: silence proves nothing then. */
  readonly isPeerLate: boolean
  readonly signal?: AbortSignal | undefined
}

const ports = { least: 32_768, count: 28_000 } as const
const greetingMs = 100
/** For the other side's last answers, after everything has been heard here. */
const lingerMs = 1500
const isHello = (bytes: Uint8Array) => bytes[0] === hello[0] && bytes.length <= 2
/** What is neither STUN nor anything else that a demultiplexer knows (RFC 7983 §7): 'hello', and 'hello, I have heard you'. */
const hello = new Uint8Array([0xd0])
const heard = new Uint8Array([0xd0, 1])

/** One side, with its sockets open and its mappings alive. */
export class Punch {
  readonly #host: Host
  readonly #options: PunchOptions
  /** The same for every transport: what the other side was told stays true. */
  readonly #port: number
  #ice!: IceTransport
  #credentials: IceCredentials | undefined
  #candidates: CandidateDescription[] = []
  #attempt: Attempt | undefined
  #complete = () => {}

  private constructor(host: Host, options: PunchOptions) {
    this.#host = host
    this.#options = options
    this.#port = ports.least + randomBelow(host.random, ports.count)
  }

  /** Resolves when every server has answered or has had its time. */
  static async open(host: Host, options: PunchOptions): Promise<Punch> {
    const punch = new Punch(host, options)
    await new Promise<void>((resolve) => {
      punch.#complete = resolve
      punch.#gather()
    })
    return punch
  }

  get offer(): PunchOffer {
    const server = this.#options.servers[0] ?? ''
    return {
      credentials: this.#ice.localDescription,
      candidates: this.#candidates,
      network: this.#options.network,
      server: server.replace(/^stuns?:/, ''),
    }
  }

  /** Tries until data has gone both ways, or the time is over. */
  connect(remote: PunchOffer, options: PunchTry): Promise<PunchReport> {
    const prediction = predict(this.#options.network, remote.network)
    return new Promise((resolve) => {
      const attempt = new Attempt(this.#host, remote, options, {
        again: () => this.#again(),
        done: (result) => resolve({ schema: punchSchema, ...result, ...judge(prediction, result.connected) }),
      })
      this.#attempt = attempt
      attempt.begin(this.#ice)
    })
  }

  close(): void {
    this.#ice.close()
  }

  /** A checklist that has failed is over; the same credentials from the same ports begin another. */
  #again(): IceTransport {
    this.#ice.close()
    this.#candidates = []
    this.#gather()
    return this.#ice
  }

  #gather(): void {
    const { role, servers, interfaces } = this.#options
    this.#ice = openIce(
      this.#host,
      {
        role,
        servers: servers.map((urls) => ({ urls })),
        portRange: [this.#port, this.#port + 20],
        mdns: 'off',
        ...(interfaces === undefined ? {} : { interfaces }),
        ...(this.#credentials === undefined ? {} : { credentials: this.#credentials }),
      },
      {
        onEvent: (event) => {
          if (event.type === 'local-candidate') this.#candidates.push(event.candidate)
          if (event.type === 'gathering' && event.state === 'complete') this.#complete()
          if (event.type === 'path' && event.path !== undefined) this.#attempt?.validated()
          if (event.type === 'state' && event.state === 'failed') this.#attempt?.failed()
        },
        onData: (bytes) => this.#attempt?.heard(bytes),
      },
    )
    const { ufrag, pwd } = this.#ice.localDescription
    this.#credentials = { ufrag, pwd }
    this.#ice.gather()
  }
}

type Result = Pick<PunchReport, 'connected' | 'path' | 'firstDataMs' | 'first' | 'pairs'>

interface AttemptHandlers {
  /** A new transport, in place of the one that has failed. */
  again(): IceTransport
  done(result: Result): void
}

/** From the first check to data both ways. */
class Attempt {
  readonly #host: Host
  readonly #remote: PunchOffer
  readonly #options: PunchTry
  readonly #handlers: AttemptHandlers
  readonly #startedAt
  #ice!: IceTransport
  #firstDataMs: number | null = null
  #first: PunchReport['first'] = null
  #isHeardThere = false
  #doneAt: ReturnType<typeof later> | undefined
  #isDone = false
  #cancel = () => {}
  readonly #interrupt = () => this.#finish(true)

  constructor(host: Host, remote: PunchOffer, options: PunchTry, handlers: AttemptHandlers) {
    this.#host = host
    this.#remote = remote
    this.#options = options
    this.#handlers = handlers
    this.#startedAt = host.clock.now()
    options.signal?.addEventListener('abort', this.#interrupt)
  }

  begin(ice: IceTransport): void {
    this.#connect(ice)
    if (this.#options.signal?.aborted === true) this.#finish(true)
    else this.#tick()
  }

  heard(bytes: Uint8Array): void {
    if (!isHello(bytes)) return
    this.#firstDataMs ??= Math.round((this.#host.clock.now() - this.#startedAt) * 10) / 10
    if (bytes.length > 1) this.#isHeardThere = true
  }

  /** A pair works: had the other side's check come in before ours was answered? */
  validated(): void {
    const answered = this.#ice.stats().pairs.filter(({ responsesReceived }) => responsesReceived > 0)
    this.#first ??= answered.some(({ requestsReceived }) => requestsReceived > 0) ? 'theirs' : 'ours'
  }

  failed(): void {
    if (!this.#isDone && this.#options.isPeerLate) this.#connect(this.#handlers.again())
  }

  #connect(ice: IceTransport): void {
    this.#ice = ice
    ice.connect(this.#remote.credentials)
    for (const candidate of this.#remote.candidates) ice.addRemoteCandidate(candidate)
    ice.endOfRemoteCandidates()
  }

  /** Greets, until it is known that both have heard; then a little longer, for the other side. */
  #tick(): void {
    if (this.#isDone) return
    const now = this.#host.clock.now()
    this.#ice.send(this.#firstDataMs === null ? hello : heard)
    if (this.#firstDataMs !== null && this.#isHeardThere) this.#doneAt ??= later(now, lingerMs)
    const isOver = now - this.#startedAt >= this.#options.limitMs
    if (isOver || (this.#doneAt !== undefined && now >= this.#doneAt)) this.#finish(false)
    else this.#cancel = this.#host.clock.schedule(later(now, greetingMs), () => this.#tick())
  }

  #finish(isInterrupted: boolean): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#cancel()
    this.#options.signal?.removeEventListener('abort', this.#interrupt)
    const pairs = this.#ice.pairs()
    const best = pairs.find(({ isNominated, state }) => isNominated && state === 'succeeded')
    const working = best ?? pairs.find(({ state }) => state === 'succeeded')
    const isConnected = this.#firstDataMs !== null
    this.#handlers.done({
      connected: isConnected ? known(true) : this.#whyNot(isInterrupted),
      path: isConnected && working !== undefined ? pathOf(working) : null,
      firstDataMs: this.#firstDataMs,
      first: isConnected ? this.#first : null,
      pairs: pairs.map((pair) => ({
        local: `${pair.local.type} ${pair.local.address}`,
        remote: `${pair.remote.type} ${pair.remote.address}`,
        state: pair.state,
        failure: pair.failure ?? null,
      })),
    })
  }

  #whyNot(isInterrupted: boolean): Finding<boolean> {
    if (isInterrupted) return unknown('interrupted before it was over')
    if (this.#options.isPeerLate)
      return unknown('nothing has come from the other side; was the code taken there?')
    return known(false)
  }
}

function pathOf({ local, remote, rttMs }: PairSummary): PunchPath {
  return {
    local: { type: local.type, address: `${local.address}` },
    remote: { type: remote.type, address: `${remote.address}` },
    rttMs: rttMs === undefined ? null : Math.round(rttMs * 10) / 10,
  }
}

function judge(
  prediction: Prediction,
  connected: Finding<boolean>,
): Pick<PunchReport, 'prediction' | 'asPredicted'> {
  if (prediction.path === 'unknown')
    return { prediction, asPredicted: unknown('the prediction left it open') }
  if (connected.value === null) return { prediction, asPredicted: unknown('it was not tried to the end') }
  return { prediction, asPredicted: known(connected.value === (prediction.path === 'direct')) }
}

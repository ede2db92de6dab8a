/** A load in progress: the peer and the flows to it, made, loaded and freed. */

import { isLoopbackIp } from '../core/ip.ts'
import { randomUint32 } from '../core/random.ts'
import type { ResolvedServer } from '../net/resolve-server.ts'
import { Flow, type FlowFault } from './flow.ts'
import type { LoadMachine } from './machine.ts'
import { type LoadPeer, openLoopbackPeer, openPeer } from './peer.ts'
import { freeFlows, SetUp, type SetUpResult } from './set-up.ts'
import { Traffic, type TrafficPlan } from './traffic.ts'

export interface SessionOptions {
  readonly server: ResolvedServer
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  /** Whether a server may send us on to addresses that are not loopback. */
  readonly mayLeaveLoopback: boolean
}

/** Limit: for the first allocation, which finds out whether anybody is there. */
const firstDeadlineMs = 5000
/** Limit: for the others. A server may hold back what it answers, and retransmissions take their time. */
const deadlineMs = 40_000

export class LoadSession {
  readonly #machine: LoadMachine
  readonly #options: SessionOptions
  readonly #flows: Flow[] = []
  #peer: LoadPeer | undefined
  #setUp: SetUp | undefined
  #traffic: Traffic | undefined
  #onEnded: (flow: Flow) => void = () => {}
  #isAborted = false
  /** Allocations still to be freed; undefined while they are in use. */
  left: number | undefined
  /** Allocations that are gone although they were in use. */
  lost = 0

  constructor(machine: LoadMachine, options: SessionOptions) {
    this.#machine = machine
    this.#options = options
  }

  get ready(): number {
    return this.#setUp?.ready ?? 0
  }

  get traffic(): Pick<Traffic, 'sent' | 'received' | 'elapsedMs'> | undefined {
    return this.#traffic
  }

  /** Allocate and ChannelBind for so many flows. Rejects with the system's code when there is no socket for the peer. */
  async open(count: number): Promise<SetUpResult> {
    const { host } = this.#machine
    const { address } = this.#options.server
    const peer = isLoopbackIp(address)
      ? await openLoopbackPeer(host, address)
      : await openPeer(host, this.#options.server)
    this.#peer = peer
    peer.onData = (bytes) => this.#traffic?.arrived('up', bytes)
    this.#setUp = new SetUp(count, host.clock, (ready, failed) => this.#startFlow(peer, ready, failed))
    if (this.#isAborted) this.#setUp.abort()
    return this.#setUp.run()
  }

  /** Sends as planned through all flows. */
  async send(plan: TrafficPlan): Promise<Awaited<ReturnType<Traffic['start']>>> {
    const { host, nextTurn } = this.#machine
    const { server } = this.#options
    const busyFrom = 1000
    // Streams are read by Node's loop, which must not wait for datagrams.
    this.#machine.setBusy(plan.rate === undefined || plan.rate > busyFrom || server.transport !== 'udp')
    const run = randomUint32(host.random) | 0
    this.#traffic = new Traffic(this.#flows, this.#peer!, plan, run, host.clock, nextTurn)
    const result = await this.#traffic.start()
    this.#machine.setBusy(false)
    return result
  }

  /** Ends what is going on: `open` and `send` resolve with what is known by now. */
  abort(): void {
    this.#isAborted = true
    this.#setUp?.abort()
    this.#traffic?.abort()
  }

  /** Deletes every allocation, and closes all sockets. */
  async free(): Promise<void> {
    await freeFlows(
      this.#flows,
      (callback) => {
        this.#onEnded = callback
      },
      (left) => {
        this.left = left
      },
    )
    this.#peer?.close()
  }

  #startFlow(
    peer: LoadPeer,
    ready: (flow: Flow) => void,
    failed: (flow: Flow, fault: FlowFault) => void,
  ): void {
    const { host } = this.#machine
    const { server, credentials, mayLeaveLoopback } = this.#options
    const isFirst = this.#flows.length === 0
    const flow = new Flow(
      host,
      {
        transport: server.transport,
        server: { address: server.address, name: server.name },
        credentials,
        connectTimeoutMs: firstDeadlineMs,
        allocateDeadlineMs: isFirst ? firstDeadlineMs : deadlineMs,
        // Who loads a server on this very machine knows whose certificate it has.
        tls: { allowInvalid: isLoopbackIp(server.address) },
      },
      peer.address,
      {
        ready: () => {
          const place = flow.server!
          if (!mayLeaveLoopback && !isLoopbackIp(place)) {
            const problem = `it sends its clients on to ${place}, which is not loopback`
            failed(flow, { step: 'redirect', failure: { type: 'bad-redirect', problem } })
            return
          }
          // A NAT before the peer lets in who it has sent to.
          if (!isLoopbackIp(place)) peer.send(new Uint8Array(1), flow.relayed!)
          ready(flow)
        },
        failed: (_flow, fault) => {
          if (fault.step === 'kept') this.lost++
          failed(flow, fault)
        },
        ended: () => this.#onEnded(flow),
        data: (bytes) => this.#traffic?.arrived('down', bytes),
      },
    )
    this.#flows.push(flow)
  }
}

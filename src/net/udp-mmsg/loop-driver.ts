/**
 * The driver over batched system calls in a thread that goes back to Node's event loop, as one has to that serves
 * streams. libuv cannot wait for what the driver waits for; so while packets come, each round of the loop has a turn of
 * the driver, and when they stop, a thread waits for the next one and says so (readiness-watch.ts).
 */

import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../core/host.ts'
import type { Datagram, SocketId } from '../../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { Route } from '../../turn/route.ts'
import type { UdpDriver, UdpDriverHandlers } from '../udp-driver.ts'
import { loadLibc } from './libc.ts'
import { MmsgDriver } from './mmsg-driver.ts'
import { type ReadinessWatchData, watchState } from './readiness-watch-state.ts'

/** The kernel's default holds about 90 datagrams of 1,200 bytes. */
const bufferBytes = 4 * 1024 * 1024

/** Limit: turns without a packet before the watch is asked to wait: to wake it costs more than to look. */
const idleTurns = 3

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './readiness-watch.ts' : './readiness-watch.js',
  import.meta.url,
)

/** A turn after one with so many packets waits for more, so that they come together; streams wait with it. */
const busyPackets = 16
/** Limit: what that may delay a stream by, once in a while. */
const busyWaitMs = 1

/** What an eventfd is written. */
const one = new Uint8Array(new BigUint64Array([1n]).buffer)

export class LoopDriver implements UdpDriver {
  readonly #driver: MmsgDriver
  readonly #watch: Worker
  readonly #state = new Int32Array(new SharedArrayBuffer(4))
  readonly #turn = () => this.#runTurn()
  readonly #watchEnded: Promise<void>
  #looking: NodeJS.Timeout | undefined
  #isDue = false
  #isBusy = false
  /** Turns in a row in which nothing came and nothing was asked for. */
  #idle = 0
  #isStopped = false

  /** The driver, or why there is none. */
  static open(clock: Clock): LoopDriver | string {
    const libc = loadLibc()
    if (typeof libc === 'string') return libc
    const sizes = { receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes }
    // An io_uring that one thread submits to does not wake another that polls it; epoll does.
    const driver = MmsgDriver.open(libc, clock, { ...sizes, reusePort: false, ring: false })
    if (typeof driver === 'string') return driver
    try {
      return new LoopDriver(driver)
    } catch (error) {
      // This process may not have threads.
      driver.stop()
      return error instanceof Error ? error.message : String(error)
    }
  }

  private constructor(driver: MmsgDriver) {
    this.#driver = driver
    const workerData: ReadinessWatchData = { descriptor: driver.descriptor, state: this.#state.buffer }
    this.#watch = new Worker(entry, { workerData })
    this.#watch.on('message', () => this.#wake())
    // Without it there is looking, which is slower and works.
    this.#watch.on('error', () => {})
    this.#watchEnded = new Promise<void>((resolve) => {
      this.#watch.on('exit', () => {
        this.#lookWithoutWatch()
        resolve()
      })
    })
    this.#watch.unref()
    this.#wake()
  }

  createDriver(handlers: UdpDriverHandlers): UdpDriver {
    this.#driver.handlers = handlers
    return this
  }

  bind(socket: SocketId, address: TransportAddress): void {
    this.#driver.bind(socket, address)
    this.#wake()
  }

  transmit(socket: SocketId, destination: AddressWords, bytes: Uint8Array): void {
    this.#driver.transmit(socket, destination, bytes)
    this.#wake()
  }

  /** From inside a turn, whose end sends it. */
  forward(route: Route, datagram: Datagram): void {
    this.#driver.forward(route, datagram)
  }

  close(socket: SocketId): void {
    this.#driver.close(socket)
    this.#wake()
  }

  flush(): void {
    this.#driver.flush()
  }

  closeAll(): void {
    this.#driver.closeAll()
    this.#driver.flush()
  }

  /** Closes what is open; the driver is of no use afterwards. Resolves when the watch has ended. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    // It is waited for now, and nothing else may be left to keep the process until then.
    this.#watch.ref()
    Atomics.store(this.#state, 0, watchState.stopped)
    Atomics.notify(this.#state, 0)
    writeSync(this.#driver.wakeUp, one)
    await this.#watchEnded
    clearInterval(this.#looking)
    this.#driver.stop()
  }

  #runTurn(): void {
    this.#isDue = false
    if (this.#isStopped) return
    const { counters } = this.#driver
    const { received } = counters
    this.#driver.run(0, this.#isBusy ? busyWaitMs : 0)
    this.#isBusy = counters.received - received >= busyPackets
    this.#idle = counters.received === received ? this.#idle + 1 : 0
    if (this.#idle < idleTurns) this.#schedule()
    else this.#wait()
  }

  /** There is something to do. */
  #wake(): void {
    this.#idle = 0
    this.#schedule()
  }

  /** A turn at the end of this round of the loop: what the round has to send leaves together. */
  #schedule(): void {
    if (this.#isDue || this.#isStopped) return
    this.#isDue = true
    setImmediate(this.#turn)
  }

  #wait(): void {
    Atomics.store(this.#state, 0, watchState.waiting)
    Atomics.notify(this.#state, 0)
  }

  #lookWithoutWatch(): void {
    if (this.#isStopped) return
    this.#looking = setInterval(this.#turn, 1).unref()
  }
}

/**
 * A Host whose UDP sockets are the batching driver's, for programs that send much from one thread: a load generator. All
 * else is what another Host has. It runs on Node's event loop, one turn of the driver after another, until `stop`.
 */

import type { Host, UdpBindOptions, UdpHandlers, UdpSocket } from '../../core/host.ts'
import { type Datagram, type SocketId, socketId } from '../../core/sans-io.ts'
import { later } from '../../core/time.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { firstRelaySocket } from '../../turn/socket-numbers.ts'
import type { UdpDriverHandlers } from '../udp-driver.ts'
import { openCheckedDriver } from './checked-driver.ts'
import { loadLibc } from './libc.ts'
import type { MmsgDriver, MmsgOptions } from './mmsg-driver.ts'

export class MmsgHost implements Host {
  readonly clock: Host['clock']
  readonly random: Host['random']
  readonly listenTcp: Host['listenTcp']
  readonly connectTcp: Host['connectTcp']
  readonly resolve: Host['resolve']
  readonly interfaces: Host['interfaces']
  readonly sourceFor: Host['sourceFor']
  /** Milliseconds to wait for packets when there are none, while Node's loop stands still. 0: never, at a core's cost. */
  waitMs = 1
  readonly #driver: MmsgDriver
  /** By number, from the first relay socket on. */
  readonly #sockets: (MmsgUdpSocket | undefined)[] = []
  readonly #free: number[] = []
  #isTimerSet = false
  #isStopped = false

  /** Or why there is none, as words for people. */
  static open(host: Host, options: Pick<MmsgOptions, 'isPlain'> = {}): MmsgHost | string {
    const libc = loadLibc()
    if (typeof libc === 'string') return libc
    const checked = openCheckedDriver(libc, host.clock, { ...options, reusePort: false })
    return typeof checked === 'string' ? checked : new MmsgHost(host, checked.driver)
  }

  private constructor(host: Host, driver: MmsgDriver) {
    this.#driver = driver
    this.clock = driver.clock
    this.random = host.random
    this.listenTcp = host.listenTcp.bind(host)
    this.connectTcp = host.connectTcp.bind(host)
    this.resolve = host.resolve.bind(host)
    this.interfaces = host.interfaces.bind(host)
    this.sourceFor = host.sourceFor.bind(host)
    driver.handlers = this.#handlers()
    setImmediate(this.#turn)
  }

  /** Without multicast. A time-to-live is not set: who sends much does not trace paths. */
  bindUdp({ address }: UdpBindOptions, handlers: UdpHandlers): UdpSocket {
    const index = this.#free.pop() ?? this.#sockets.length
    const id = socketId(firstRelaySocket + index)
    const socket = new MmsgUdpSocket(this.#driver, id, handlers, () => this.#remove(index))
    this.#sockets[index] = socket
    this.#driver.bind(id, address)
    return socket
  }

  /** Closes what is open. Nothing is called back afterwards. */
  stop(): void {
    this.#isStopped = true
    this.#driver.stop()
  }

  readonly #turn = () => {
    if (this.#isStopped) return
    if (this.waitMs > 0 && !this.#isTimerSet) {
      // The driver waits until something comes or is due: this is due.
      this.#isTimerSet = true
      this.clock.schedule(later(this.clock.now(), this.waitMs), () => {
        this.#isTimerSet = false
      })
    }
    this.#driver.run(this.waitMs)
    setImmediate(this.#turn)
  }

  #remove(index: number): void {
    if (this.#isStopped) return
    this.#driver.close(socketId(firstRelaySocket + index))
    this.#sockets[index] = undefined
    this.#free.push(index)
  }

  #handlers(): UdpDriverHandlers {
    const of = (id: SocketId) => this.#sockets[id - firstRelaySocket]
    return {
      bound: (id, local, receiveBufferBytes) => of(id)?.bound(local, receiveBufferBytes),
      bindFailed: (id, reason) => of(id)?.failed(reason),
      datagram: (datagram) => of(datagram.socket)?.datagram(datagram),
      icmp: () => {},
      sendFailed: () => {},
    }
  }
}

class MmsgUdpSocket implements UdpSocket {
  readonly #driver: MmsgDriver
  readonly #id: SocketId
  readonly #handlers: UdpHandlers
  readonly #remove: () => void
  #isClosed = false
  receiveBufferBytes: number | undefined

  constructor(driver: MmsgDriver, id: SocketId, handlers: UdpHandlers, remove: () => void) {
    this.#driver = driver
    this.#id = id
    this.#handlers = handlers
    this.#remove = remove
  }

  send(bytes: Uint8Array, destination: AddressWords): void {
    if (!this.#isClosed) this.#driver.transmit(this.#id, destination, bytes)
  }

  setTtl(): void {}

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#remove()
  }

  bound(local: TransportAddress, receiveBufferBytes: number | undefined): void {
    this.receiveBufferBytes = receiveBufferBytes
    this.#handlers.bound(local)
  }

  failed(reason: string): void {
    this.close()
    this.#handlers.failed(reason)
  }

  /** What the receiver keeps has to leave the driver's memory. */
  datagram({ bytes, start, end, source }: Datagram): void {
    const copy = Buffer.allocUnsafe(end - start)
    copy.set(bytes.subarray(start, end))
    this.#handlers.datagram(copy, source)
  }
}

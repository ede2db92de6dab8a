/** TCP on simulated hosts that remembers what it heard, and when. */

import type {
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListenOptions,
  TlsSession,
} from '../../src/core/host.ts'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { SimHost } from '../../src/sim/host.ts'

/** Writes down what a stream tells, with the time. */
export class Recorder implements StreamHandlers {
  readonly lines: string[] = []
  readonly #host: SimHost
  bytes = 0
  onData: (bytes: Uint8Array) => void = () => {}

  constructor(host: SimHost) {
    this.#host = host
  }

  opened(_local: TransportAddress, tls: TlsSession | undefined): void {
    this.#note(tls === undefined ? 'opened' : `opened ${tls.alpn} ${tls.problem ?? 'valid'}`)
  }
  failed(reason: string): void {
    this.#note(`failed ${reason}`)
  }
  data(bytes: Uint8Array): void {
    this.bytes += bytes.length
    this.onData(bytes)
  }
  drained(): void {
    this.#note('drained')
  }
  ended(): void {
    this.#note('ended')
  }
  closed(reason: string | undefined): void {
    this.#note(`closed ${reason}`)
  }

  #note(line: string): void {
    this.lines.push(`${this.#host.clock.now()} ${line}`)
  }
}

export function listen(
  host: SimHost,
  port: number,
  tls?: TcpListenOptions['tls'],
  more: Partial<TcpListenOptions> = {},
) {
  const streams: { stream: StreamSocket; recorder: Recorder }[] = []
  const faults: string[] = []
  const listener = host.listenTcp(
    { address: host.address(port), ...(tls && { tls }), ...more },
    {
      bound: () => {},
      failed: (reason) => faults.push(reason),
      connection: (stream) => {
        const recorder = new Recorder(host)
        streams.push({ stream, recorder })
        return recorder
      },
      handshakeFailed: (reason) => faults.push(reason),
      acceptFailed: (reason) => faults.push(reason),
    },
  )
  return { listener, streams, faults }
}

export function connect(host: SimHost, remote: TransportAddress, options: Partial<TcpConnectOptions> = {}) {
  const recorder = new Recorder(host)
  const stream = host.connectTcp({ remote, timeoutMs: 10_000, ...options }, recorder)
  return { stream, recorder }
}

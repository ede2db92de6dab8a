/** Listening for TCP and TLS connections. Every connection that is admitted is heard of again, whatever becomes of it. */

import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { TurnpikeError } from '../core/errors.ts'
import type {
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  TlsCertificate,
  TlsServerOptions,
} from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { codeOf } from './errno.ts'
import { keepAliveDelayMs, NodeStream, remoteOf } from './node-stream.ts'
import { bindForListener } from './shared-port.ts'
import { contextOptions, TlsContexts } from './tls-contexts.ts'

/** Limit: the kernel cuts it to its own (net.core.somaxconn, 4,096 on Linux). */
const backlog = 4096

export function listenTcp(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener {
  const tls = options.tls === undefined ? undefined : new TlsAcceptor(options.tls, handlers)
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelayMs, allowHalfOpen: true },
    (socket) => {
      // Until someone else listens: a connection may fail at any moment.
      socket.on('error', () => {})
      const remote = remoteOf(socket)
      if (remote === undefined || state === 'closed' || handlers.admit?.(remote) === false) socket.destroy()
      else if (tls === undefined) accept(socket, remote, handlers)
      else tls.handle(socket, remote)
    },
  )
  let state: 'opening' | 'open' | 'closed' = 'opening'
  const fail = (reason: string) => {
    if (state === 'open') handlers.acceptFailed(reason)
    if (state !== 'opening') return
    state = 'closed'
    handlers.failed(reason)
  }
  server.on('error', (error) => fail(codeOf(error)))
  server.on('listening', () => {
    if (state !== 'opening') return
    state = 'open'
    const { address, port } = server.address() as { address: string; port: number }
    handlers.bound(TransportAddress.of(address, port))
  })
  queueMicrotask(() => {
    if (state !== 'opening') return
    const { address } = options
    if (options.isShared !== true) {
      const ipv6Only = address.family === 'IPv6'
      server.listen({ host: address.ip, port: address.port, ipv6Only, backlog })
      return
    }
    const fd = bindForListener(address)
    if (typeof fd === 'string') fail(fd)
    else server.listen({ fd, backlog })
  })
  return {
    setCertificates: (certificates) => tls?.setCertificates(certificates),
    close: () => {
      if (state === 'closed') return
      state = 'closed'
      server.close()
      tls?.close()
    },
  }
}

function accept(socket: Socket, remote: TransportAddress, handlers: TcpListenHandlers): void {
  const stream = new NodeStream(socket, remote)
  stream.accept(handlers.connection(stream, remote))
}

/** A connection whose handshake is going on. */
interface Handshake {
  readonly remote: TransportAddress
  readonly socket: Socket
  readonly timer: NodeJS.Timeout
}

/** The TLS handshakes of a listener. */
class TlsAcceptor {
  readonly #server: TlsServer
  readonly #contexts: TlsContexts
  readonly #handlers: TcpListenHandlers
  readonly #timeoutMs: number
  /** By the remote address as text: what a TLSSocket can still tell when it fails. */
  readonly #handshakes = new Map<string, Handshake>()

  constructor(options: TlsServerOptions, handlers: TcpListenHandlers) {
    const contexts = new TlsContexts(options.certificates)
    this.#contexts = contexts
    this.#handlers = handlers
    this.#timeoutMs = options.handshakeTimeoutMs
    this.#server = createTlsServer({
      ...contextOptions(firstOf(options.certificates)),
      // Node's own limit is on silence: a byte now and then would hold the connection for ever.
      handshakeTimeout: options.handshakeTimeoutMs * 2,
      ALPNCallback: ({ protocols }) => protocols.find((name) => options.alpn.includes(name)),
      SNICallback: (name, callback) => callback(null, contexts.find(name)),
    })
    this.#server.on('secureConnection', (socket) => this.#established(socket))
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      socket.destroy()
      this.#failed(remoteOf(socket)?.toString(), codeOf(error))
    })
  }

  handle(socket: Socket, remote: TransportAddress): void {
    const key = remote.toString()
    const timer = setTimeout(() => this.#failed(key, 'ETIMEDOUT'), this.#timeoutMs)
    const handshake = { remote, socket, timer }
    this.#handshakes.set(key, handshake)
    socket.on('close', () => {
      if (this.#handshakes.get(key) === handshake) this.#failed(key, 'ECONNRESET')
    })
    this.#server.emit('connection', socket)
  }

  setCertificates(certificates: readonly TlsCertificate[]): void {
    this.#contexts.replace(certificates)
    this.#server.setSecureContext(contextOptions(firstOf(certificates)))
  }

  close(): void {
    for (const { socket, timer } of this.#handshakes.values()) {
      clearTimeout(timer)
      socket.destroy()
    }
    this.#handshakes.clear()
  }

  #established(socket: TLSSocket): void {
    socket.on('error', () => {})
    const handshake = this.#take(remoteOf(socket)?.toString())
    if (handshake === undefined) socket.destroy()
    else accept(socket, handshake.remote, this.#handlers)
  }

  #failed(key: string | undefined, reason: string): void {
    const handshake = this.#take(key)
    if (handshake === undefined) return
    handshake.socket.destroy()
    this.#handlers.handshakeFailed(reason, handshake.remote)
  }

  #take(key: string | undefined): Handshake | undefined {
    const handshake = this.#handshakes.get(key ?? '')
    if (handshake === undefined) return undefined
    this.#handshakes.delete(key ?? '')
    clearTimeout(handshake.timer)
    return handshake
  }
}

function firstOf(certificates: readonly TlsCertificate[]): TlsCertificate {
  const [first] = certificates
  if (first !== undefined) return first
  throw new TurnpikeError('configuration-invalid', 'a TLS listener needs a certificate')
}

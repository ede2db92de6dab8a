/**
 * TCP and TLS over node:net and node:tls. What Node throws or emits becomes a handler call, for nothing that a
 * remote host does may end the process.
 */

import { createServer, isIPv6, Socket } from 'node:net'
import {
  createSecureContext,
  createServer as createTlsServer,
  type TLSSocket,
  Server as TlsServer,
  connect as tlsConnect,
} from 'node:tls'
import { TurnpikeError } from '../core/errors.ts'
import type {
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  TlsCertificate,
  TlsSession,
} from '../core/host.ts'
import type { EpochSeconds } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'

export function listenTcp(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener {
  const { address, tls } = options
  const accept = (socket: Socket) => {
    const stream = new NodeStream(socket)
    if (stream.isGone) return
    stream.attach(handlers.connection(stream, stream.remote))
  }
  const server =
    tls === undefined
      ? createServer({ noDelay: true, allowHalfOpen: true }, accept)
      : createTlsServer({
          ...contextOptions(tls.certificates),
          noDelay: true,
          allowHalfOpen: true,
          minVersion: 'TLSv1.2',
          handshakeTimeout: tls.handshakeTimeoutMs,
          ALPNCallback: ({ protocols }) => protocols.find((name) => tls.alpn.includes(name)),
        }).on('secureConnection', accept)
  let isOpen = false
  let isClosed = false
  server.on('error', (error) => {
    if (isClosed || isOpen) return
    isClosed = true
    handlers.failed(codeOf(error))
  })
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    const remote = remoteOf(socket)
    socket.destroy()
    if (!isClosed) handlers.handshakeFailed(codeOf(error), remote)
  })
  queueMicrotask(() => {
    if (isClosed) return
    server.listen({ host: address.ip, port: address.port, ipv6Only: address.family === 'IPv6' }, () => {
      isOpen = true
      const bound = server.address() as { address: string; port: number }
      if (!isClosed) handlers.bound(TransportAddress.of(bound.address, bound.port))
    })
  })
  return {
    setCertificates: (certificates) => {
      const context = contextOptions(certificates)
      if (server instanceof TlsServer) server.setSecureContext(context)
    },
    close: () => {
      if (isClosed) return
      isClosed = true
      server.close()
    },
  }
}

export function connectTcp(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket {
  const { remote, local, tls, timeoutMs } = options
  const socket = new Socket({ allowHalfOpen: true })
  const stream = new NodeStream(socket, remote)
  stream.attachOpening(handlers, timeoutMs)
  queueMicrotask(() => {
    if (stream.isGone) return
    const from = local === undefined ? {} : { localAddress: local.ip, localPort: local.port }
    try {
      socket.connect({ host: remote.ip, port: remote.port, ...from })
      socket.setNoDelay(true)
    } catch (error) {
      stream.fail(codeOf(error))
      return
    }
    if (tls === undefined) {
      socket.once('connect', () => stream.open(undefined))
      return
    }
    socket.once('connect', () => {
      const secure = tlsConnect({
        socket,
        ALPNProtocols: [...tls.alpn],
        rejectUnauthorized: tls.allowInvalid !== true,
        ...(tls.serverName === undefined || isIPv6(tls.serverName)
          ? { host: remote.ip }
          : { servername: tls.serverName }),
        ...(tls.authorities === undefined ? {} : { ca: [...tls.authorities] }),
      })
      stream.secure(secure)
      secure.once('secureConnect', () => stream.open(sessionOf(secure)))
    })
  })
  return stream
}

/** `opening` for a connection of our own that is not there yet. */
type State = 'opening' | 'open' | 'closed'

class NodeStream implements StreamSocket {
  #socket: Socket
  #handlers: StreamHandlers | undefined
  #state: State = 'open'
  #remote: TransportAddress | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, remote = remoteOf(socket)) {
    this.#socket = socket
    this.#remote = remote
    if (remote === undefined) this.close()
    socket.on('error', (error) => this.fail(codeOf(error)))
  }

  get isGone(): boolean {
    return this.#state === 'closed'
  }

  get remote(): TransportAddress {
    return this.#remote!
  }

  get local(): TransportAddress {
    const { localAddress, localPort } = this.#socket
    return TransportAddress.of(localAddress ?? '::', localPort ?? 0)
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  attach(handlers: StreamHandlers): void {
    this.#handlers = handlers
    this.#listen()
  }

  attachOpening(handlers: StreamHandlers, timeoutMs: number): void {
    this.#state = 'opening'
    this.#handlers = handlers
    this.#timer = setTimeout(() => this.fail('ETIMEDOUT'), timeoutMs)
  }

  secure(socket: TLSSocket): void {
    this.#socket = socket
    socket.on('error', (error) => this.fail(codeOf(error)))
  }

  open(session: TlsSession | undefined): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    clearTimeout(this.#timer)
    this.#listen()
    this.#handlers?.opened(this.local, session)
  }

  fail(reason: string): void {
    const state = this.#state
    if (state === 'closed') return
    this.close()
    if (state === 'opening') this.#handlers?.failed(reason)
    else this.#handlers?.closed(reason)
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'open' && this.#socket.writable) this.#socket.write(bytes)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    if (this.#state === 'open') this.#socket.end()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (bytes) => {
      if (this.#state === 'open') this.#handlers?.data(bytes as Uint8Array)
    })
    socket.on('drain', () => {
      if (this.#state === 'open') this.#handlers?.drained()
    })
    socket.on('end', () => {
      if (this.#state !== 'open') return
      this.close()
      this.#handlers?.closed(undefined)
    })
    socket.on('close', () => this.fail('ECONNRESET'))
  }
}

function contextOptions(certificates: readonly TlsCertificate[]) {
  const [first] = certificates
  try {
    for (const { certificate, key } of certificates) createSecureContext({ cert: certificate, key })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new TurnpikeError('configuration-invalid', `not a certificate with its key: ${why}`, { cause })
  }
  return { cert: first?.certificate, key: first?.key }
}

function sessionOf(socket: TLSSocket): TlsSession {
  const certificate = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol() ?? '',
    alpn: socket.alpnProtocol === false || socket.alpnProtocol === null ? undefined : socket.alpnProtocol,
    problem: socket.authorized ? undefined : `${socket.authorizationError}`,
    subject: `${certificate.subject?.CN ?? ''}`,
    validTo: Math.floor(Date.parse(certificate.valid_to) / 1000) as EpochSeconds,
  }
}

function remoteOf(socket: Socket): TransportAddress | undefined {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? undefined : TransportAddress.of(remoteAddress, remotePort ?? 0)
}

function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code ?? 'UNKNOWN'
}

/** Opening TCP and TLS connections. */

import { isIP, Socket } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type {
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TlsClientOptions,
  TlsSession,
} from '../core/host.ts'
import type { EpochSeconds } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { codeOf } from './errno.ts'
import { keepAliveDelayMs, NodeStream } from './node-stream.ts'
import { bindBesideListener } from './shared-port.ts'

export function connectTcp(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket {
  const { remote, local, tls } = options
  const fd = options.fromListener === true && local !== undefined ? bindBesideListener(local) : undefined
  // A socket made of a descriptor would read at once, before it is connected.
  const socket = new Socket({
    allowHalfOpen: true,
    ...(typeof fd === 'number' ? { fd, pauseOnCreate: true } : {}),
  })
  const stream = new NodeStream(socket, remote)
  stream.expect(handlers, options.timeoutMs)
  socket.once('connect', () => {
    if (tls === undefined) stream.open()
    else attempt(stream, () => secure(stream, socket, remote, tls))
  })
  queueMicrotask(() => {
    if (stream.isClosed) return
    if (typeof fd === 'string') stream.fail(fd)
    else attempt(stream, () => connect(socket, remote, fd === undefined ? local : undefined))
  })
  return stream
}

function connect(socket: Socket, remote: TransportAddress, local: TransportAddress | undefined): void {
  socket.setNoDelay(true)
  socket.setKeepAlive(true, keepAliveDelayMs)
  const from = local === undefined ? {} : { localAddress: local.ip, localPort: local.port }
  socket.connect({ host: remote.ip, port: remote.port, ...from })
}

function secure(stream: NodeStream, socket: Socket, remote: TransportAddress, tls: TlsClientOptions): void {
  const { serverName, alpn, authorities } = tls
  const session = tlsConnect({
    socket,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.allowInvalid !== true,
    // An address is not sent as a name, but the certificate has to be for it all the same.
    ...(serverName === undefined || isIP(serverName) !== 0
      ? { host: remote.ip }
      : { host: serverName, servername: serverName }),
    ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
  })
  stream.replaceSocket(session)
  session.once('secureConnect', () => stream.open(sessionOf(session)))
}

function sessionOf(socket: TLSSocket): TlsSession {
  const certificate = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol() ?? '',
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    problem: socket.authorized ? undefined : `${socket.authorizationError}`,
    subject: `${certificate.subject?.CN ?? ''}`,
    validTo: Math.floor(Date.parse(certificate.valid_to) / 1000) as EpochSeconds,
  }
}

/** Node throws for what it can see beforehand; for us that is one more way to fail. */
function attempt(stream: NodeStream, action: () => void): void {
  try {
    action()
  } catch (error) {
    stream.fail(codeOf(error))
  }
}

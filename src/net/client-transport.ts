/**
 * The client's way to a STUN or TURN server: a UDP socket, a TCP connection or a TLS one, all of which take and give
 * whole frames (RFC 8489 §6.2, RFC 8656 §12.5, RFC 7443).
 */

import type { Host, StreamSocket, TlsSession } from '../core/host.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { StreamFramer } from '../stun/stream-framing.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'

/** How TLS connections are checked. */
export interface ClientTlsOptions {
  /** PEM texts of the authorities to trust instead of the system's. */
  readonly authorities?: readonly string[] | undefined
  /** Connects all the same when the certificate is not valid. For tests and for looking at a server's fault. */
  readonly allowInvalid?: boolean | undefined
}

export interface ClientTransportOptions {
  readonly transport: ClientTransport
  readonly server: TransportAddress
  /** The name that the certificate has to be for; undefined to check it against the address. */
  readonly serverName: string | undefined
  /** The address to send from; the system chooses unless given, and the port if that is 0. */
  readonly local?: TransportAddress | undefined
  /** Over TCP and TLS: `local` is where a shared listener of ours listens. */
  readonly fromListener?: boolean | undefined
  readonly tls?: ClientTlsOptions | undefined
  readonly alpn: 'stun.turn' | 'stun.nat-discovery'
  readonly connectTimeoutMs?: number | undefined
}

export interface ClientTransportHandlers {
  opened(local: TransportAddress, tls: TlsSession | undefined): void
  /** It could not be opened, or is lost; it is closed. `reason` is a code such as ECONNREFUSED. */
  failed(reason: string): void
  /** A whole message or ChannelData. The bytes belong to the receiver; `source` is good for this call. */
  frame(bytes: Uint8Array, source: AddressWords): void
  /** A datagram could not be sent. The socket goes on. */
  sendFailed(reason: string): void
}

export interface OpenClientTransport {
  /** Bytes sent that the system has not taken yet; 0 for UDP. */
  readonly pendingBytes: number
  /** Sends a whole frame. `destination` counts for UDP only. */
  send(bytes: Uint8Array, destination: AddressWords): void
  /** Closes at once. No handler is called afterwards. */
  close(): void
}

/** Limit: a TCP handshake and a TLS one on a slow path take some seconds; a server that is not there takes all of it. */
const defaultConnectTimeoutMs = 10_000

/** No handler is called before this has returned. */
export function openClientTransport(
  host: Host,
  options: ClientTransportOptions,
  handlers: ClientTransportHandlers,
): OpenClientTransport {
  return options.transport === 'udp' ? openUdp(host, options, handlers) : openStream(host, options, handlers)
}

/** The address that lets the system choose, in the family of `address`. */
export function unspecifiedFor(address: TransportAddress): TransportAddress {
  return TransportAddress.of(address.family === 'IPv4' ? '0.0.0.0' : '::', 0)
}

function openUdp(
  host: Host,
  { server, local }: ClientTransportOptions,
  handlers: ClientTransportHandlers,
): OpenClientTransport {
  const socket = host.bindUdp(
    { address: local ?? unspecifiedFor(server) },
    {
      bound: (address) => handlers.opened(address, undefined),
      failed: (reason) => handlers.failed(reason),
      datagram: (bytes, source) => handlers.frame(bytes, source),
      sendFailed: (reason) => handlers.sendFailed(reason),
    },
  )
  return {
    pendingBytes: 0,
    send: (bytes, destination) => socket.send(bytes, destination),
    close: () => socket.close(),
  }
}

function openStream(
  host: Host,
  options: ClientTransportOptions,
  handlers: ClientTransportHandlers,
): OpenClientTransport {
  const { transport, server, serverName, local, fromListener, tls, alpn } = options
  const framer = new StreamFramer()
  const end = (reason: string) => {
    stream.close()
    handlers.failed(reason)
  }
  const stream: StreamSocket = host.connectTcp(
    {
      remote: server,
      timeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
      ...(local === undefined ? {} : { local }),
      ...(fromListener === undefined ? {} : { fromListener }),
      ...(transport === 'tcp'
        ? {}
        : {
            tls: {
              serverName,
              alpn: [alpn],
              ...(tls?.authorities === undefined ? {} : { authorities: tls.authorities }),
              ...(tls?.allowInvalid === undefined ? {} : { allowInvalid: tls.allowInvalid }),
            },
          }),
    },
    {
      opened: (address, session) => handlers.opened(address, session),
      failed: (reason) => handlers.failed(reason),
      data: (bytes) => {
        framer.push(bytes)
        for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
          handlers.frame(frame, server)
        }
        // A stream that has lost its way is not found again.
        if (framer.fault !== undefined) end('EPROTO')
      },
      drained: () => {},
      ended: () => end('ECONNRESET'),
      closed: (reason) => handlers.failed(reason ?? 'ECONNRESET'),
    },
  )
  return {
    get pendingBytes() {
      return stream.pendingBytes
    },
    send: (bytes) => stream.write(bytes),
    close: () => stream.close(),
  }
}

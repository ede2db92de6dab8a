/**
 * The I/O port: what a program may ask of the machine it runs on. NodeHost is the real one; a simulated
 * host implements the same. Results arrive through handlers rather than promises, so that a simulated
 * internet stays in step with its virtual clock (ADR 0003). No handler is called before the method that
 * took it has returned, and none after `close()`.
 */

import type { Random } from './random.ts'
import type { EpochSeconds, Instant } from './time.ts'
import type { AddressWords, TransportAddress } from './transport-address.ts'

export interface Host {
  readonly clock: Clock
  readonly random: Random
  /** Opens a UDP socket. Nothing is thrown for what the network refuses: that is `handlers.failed`. */
  bindUdp(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket
  /** Listens for TCP connections, or TLS ones when `options.tls` is given. */
  listenTcp(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener
  /** Opens a TCP connection, and the TLS session over it when `options.tls` is given. */
  connectTcp(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket
  /** Asks the DNS. The returned function cancels the query; its callback is not called then. */
  resolve(query: DnsQuery, callback: (answer: DnsAnswer) => void): () => void
  /** The addresses of this host's interfaces, as they are now. */
  interfaces(): readonly InterfaceAddress[]
  /** The address that the system would send from to get there, port 0; undefined without a route. Nothing is sent. */
  sourceFor(remote: TransportAddress): TransportAddress | undefined
}

export interface Clock {
  now(): Instant
  epochSeconds(): EpochSeconds
  /** Calls back once at or after `at`. The returned function cancels it. */
  schedule(at: Instant, callback: () => void): () => void
}

export interface UdpBindOptions {
  /** Port 0 lets the system choose. */
  readonly address: TransportAddress
  /** Several sockets, of several threads, may be bound to the address; the system spreads the sources over them. */
  readonly reusePort?: boolean
  /** Asked of the system; what it granted is in `UdpSocket.receiveBufferBytes`. */
  readonly receiveBufferBytes?: number
  /** Groups to receive from, as mDNS needs it; the port may then be shared with other programs. */
  readonly multicastGroups?: readonly TransportAddress[]
}

export interface UdpHandlers {
  /** The socket is bound; `local` carries the port in use. Called at most once, before any datagram. */
  bound(local: TransportAddress): void
  /** The socket could not be bound, and is closed. `reason` is the system's code, such as EADDRINUSE. */
  failed(reason: string): void
  /** Bytes belong to the receiver from here on; `source` is reused for the next packet. */
  datagram(bytes: Uint8Array, source: AddressWords): void
  /** A send was refused by the system, after the fact. The socket goes on. */
  sendFailed(reason: string): void
}

export interface UdpSocket {
  /** What the kernel granted; undefined before it is bound. */
  readonly receiveBufferBytes: number | undefined
  /**
   * Sends one datagram. The bytes must not change afterwards. Failures are reported, never thrown; with `isReported`
   * false what the network refuses need not be, which is for relayed data: nobody can do anything about one packet.
   */
  send(bytes: Uint8Array, destination: AddressWords, isReported?: boolean): void
  /** The time-to-live (hop limit) of what is sent from now on. */
  setTtl(hops: number): void
  /** Closes at once. No handler is called afterwards. Closing twice is allowed. */
  close(): void
}

export interface TcpListenOptions {
  /** Port 0 lets the system choose. */
  readonly address: TransportAddress
  readonly tls?: TlsServerOptions
  /** Connections are to be made from the same address too: see `TcpConnectOptions.fromListener`. */
  readonly isShared?: boolean
}

/** PEM texts: a chain with its private key, and the names it is chosen for by SNI (from the certificate itself). */
export interface TlsCertificate {
  readonly certificate: string
  readonly key: string
}

export interface TlsServerOptions {
  /** The first one serves clients that ask for no name, or for one that none has. */
  readonly certificates: readonly TlsCertificate[]
  /** Protocols that a client may choose among (RFC 7443); a client that offers none is served all the same. */
  readonly alpn: readonly string[]
  /** A handshake that takes longer is ended. */
  readonly handshakeTimeoutMs: number
}

export interface TcpListenHandlers {
  bound(local: TransportAddress): void
  failed(reason: string): void
  /**
   * Someone has connected; false closes it at once. What is admitted is followed by `connection` or, if it comes to
   * nothing before that, by `handshakeFailed`. Everybody is admitted where this is left out.
   */
  admit?(remote: TransportAddress): boolean
  /**
   * A connection is there, its TLS handshake done. Returns who hears of it from now on; `opened` is not called.
   * To read nothing yet, pause it here.
   */
  connection(stream: StreamSocket, remote: TransportAddress): StreamHandlers
  /** A TLS handshake that came to nothing, and is closed. `reason` is the system's code. */
  handshakeFailed(reason: string, remote: TransportAddress): void
  /** The system could not take a connection in, such as EMFILE. The listener goes on. */
  acceptFailed(reason: string): void
}

export interface TcpListener {
  /** Serves new connections with these certificates. Throws `configuration-invalid`, and keeps the old ones. */
  setCertificates(certificates: readonly TlsCertificate[]): void
  /** Stops listening at once; connections go on, handshakes do not. */
  close(): void
}

export interface TcpConnectOptions {
  readonly remote: TransportAddress
  /** Where to connect from; the system chooses unless given, and the port if that is 0. */
  readonly local?: TransportAddress
  /** `local` is where a shared listener of ours listens. Fails with ENOTSUP where the system cannot do that. */
  readonly fromListener?: boolean
  readonly tls?: TlsClientOptions
  readonly timeoutMs: number
}

export interface TlsClientOptions {
  /** The name that the certificate has to be for, sent by SNI; undefined when connecting to an address. */
  readonly serverName: string | undefined
  readonly alpn: readonly string[]
  /** PEM texts of the authorities to trust instead of the system's. */
  readonly authorities?: readonly string[]
  /** Connects all the same when the certificate is not valid; `TlsSession.problem` says why it is not. */
  readonly allowInvalid?: boolean
}

/** What a TLS handshake has shown. */
export interface TlsSession {
  readonly protocol: string
  readonly alpn: string | undefined
  /** Why the certificate is not valid, as the system's code such as CERT_HAS_EXPIRED; undefined when it is. */
  readonly problem: string | undefined
  readonly subject: string
  readonly validTo: EpochSeconds
}

export interface StreamHandlers {
  /** The connection is there, its TLS handshake done. Called once, before any data; never if `failed` is. */
  opened(local: TransportAddress, tls: TlsSession | undefined): void
  /** The connection could not be made. `reason` is a code such as ECONNREFUSED, ETIMEDOUT or CERT_HAS_EXPIRED. */
  failed(reason: string): void
  /** Bytes belong to the receiver. */
  data(bytes: Uint8Array): void
  /** All that was written has been handed to the system, after `pendingBytes` had not been 0. */
  drained(): void
  /** The remote side will send no more. What we write still goes out, until our own `end` or `close`. */
  ended(): void
  /** The connection is over. `reason` is the system's code; undefined when both sides have ended it in order. */
  closed(reason: string | undefined): void
}

/**
 * A TCP connection, with or without TLS. What is written in one turn of the event loop leaves together at its end,
 * so small writes are cheap.
 */
export interface StreamSocket {
  readonly local: TransportAddress
  readonly remote: TransportAddress
  /** Bytes written that the system has not taken yet: what the remote side's slowness costs us. */
  readonly pendingBytes: number
  /** Writes all of the bytes, which must not change afterwards. Failures are reported, never thrown. */
  write(bytes: Uint8Array): void
  /** Stops and starts `data`, so that the sender is held back. */
  pause(): void
  resume(): void
  /** Ends our side when what was written is out; `closed` follows when the remote side has ended too. */
  end(): void
  /** Closes at once; what is pending is lost. No handler is called afterwards. Closing twice is allowed. */
  close(): void
}

export interface DnsQuery {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'SRV' | 'NAPTR'
}

export type DnsAnswer =
  /** For A and AAAA: the port is 0. */
  | { readonly type: 'addresses'; readonly addresses: readonly TransportAddress[] }
  | { readonly type: 'services'; readonly services: readonly DnsService[] }
  | { readonly type: 'pointers'; readonly pointers: readonly DnsPointer[] }
  /** A code such as ENOTFOUND, ENODATA, ETIMEOUT or ESERVFAIL. */
  | { readonly type: 'failed'; readonly reason: string }

/** An SRV record (RFC 2782). */
export interface DnsService {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly name: string
}

/** A NAPTR record (RFC 3403). */
export interface DnsPointer {
  readonly order: number
  readonly preference: number
  readonly flags: string
  readonly service: string
  readonly regexp: string
  readonly replacement: string
}

export interface InterfaceAddress {
  readonly name: string
  /** The port is 0. */
  readonly address: TransportAddress
  readonly internal: boolean
  /** Bits of the network prefix, such as 24. */
  readonly prefixLength: number
}

/**
 * TLS over a simulated connection: the round trips of TLS 1.3, names, ALPN and certificates as they are negotiated,
 * and no encryption. What is said travels as handshake records, so that either side notices one that speaks no TLS.
 */

import type { TlsCertificate, TlsClientOptions, TlsServerOptions, TlsSession } from '../core/host.ts'
import { problemOf, readCertificate } from './certificate.ts'

/** What a handshake has come to. `rest` is what followed it in the same bytes. */
export type HandshakeResult =
  | { readonly type: 'unfinished'; readonly answer?: Uint8Array }
  | {
      readonly type: 'done'
      readonly answer?: Uint8Array
      readonly session: TlsSession | undefined
      readonly rest: Uint8Array
    }
  | { readonly type: 'failed'; readonly answer?: Uint8Array; readonly reason: string }

export interface Handshake {
  /** What this side says first. */
  start(): Uint8Array | undefined
  handle(bytes: Uint8Array): HandshakeResult
}

const protocol = 'TLSv1.3'
const handshakeRecord = 0x16
const alertRecord = 0x15
/** A server's first flight with two certificates of a chain. */
const serverFlightBytes = 2500

export class ClientHandshake implements Handshake {
  readonly #options: TlsClientOptions
  readonly #remoteIp: string
  readonly #authorities: readonly string[]
  readonly #epochSeconds: number
  readonly #records = new Records()

  constructor(
    options: TlsClientOptions,
    remoteIp: string,
    authorities: readonly string[],
    epochSeconds: number,
  ) {
    this.#options = options
    this.#remoteIp = remoteIp
    this.#authorities = options.authorities ?? authorities
    this.#epochSeconds = epochSeconds
  }

  start(): Uint8Array {
    return record(handshakeRecord, { serverName: this.#options.serverName, alpn: this.#options.alpn }, 300)
  }

  handle(bytes: Uint8Array): HandshakeResult {
    const hello = this.#records.take(bytes)
    if (hello === undefined) return { type: 'unfinished' }
    if (hello === 'not TLS') return { type: 'failed', reason: 'ERR_SSL_WRONG_VERSION_NUMBER' }
    if (hello.alert !== undefined) return { type: 'failed', reason: hello.alert }
    const text = `${hello.certificate}`
    const facts = readCertificate(text)
    const name = this.#options.serverName ?? this.#remoteIp
    const problem = problemOf(text, name, this.#authorities, this.#epochSeconds)
    if (problem !== undefined && this.#options.allowInvalid !== true) {
      return { type: 'failed', reason: problem, answer: alert('ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE') }
    }
    const alpn = typeof hello.alpn === 'string' ? hello.alpn : undefined
    return {
      type: 'done',
      answer: record(handshakeRecord, { finished: true }, 58),
      session: { protocol, alpn, problem, subject: facts.subject, validTo: facts.validTo },
      rest: this.#records.rest(),
    }
  }
}

export class ServerHandshake implements Handshake {
  readonly #options: TlsServerOptions
  readonly #certificates: readonly TlsCertificate[]
  readonly #records = new Records()
  #hasAnswered = false

  constructor(options: TlsServerOptions, certificates: readonly TlsCertificate[]) {
    this.#options = options
    this.#certificates = certificates
  }

  start(): undefined {
    return undefined
  }

  handle(bytes: Uint8Array): HandshakeResult {
    const message = this.#records.take(bytes)
    if (message === undefined) return { type: 'unfinished' }
    if (message === 'not TLS') return { type: 'failed', reason: 'ERR_SSL_WRONG_VERSION_NUMBER' }
    if (message.alert !== undefined) return { type: 'failed', reason: message.alert }
    if (this.#hasAnswered) return { type: 'done', session: undefined, rest: this.#records.rest() }
    const offered = Array.isArray(message.alpn) ? message.alpn.map(String) : []
    const alpn = offered.find((name) => this.#options.alpn.includes(name))
    if (offered.length > 0 && alpn === undefined) {
      const answer = alert('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
      return { type: 'failed', reason: 'ERR_SSL_NO_APPLICATION_PROTOCOL', answer }
    }
    const chosen = this.#certificateFor(message.serverName)
    if (chosen === undefined) {
      const answer = alert('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE')
      return { type: 'failed', reason: 'ERR_SSL_NO_SHARED_CIPHER', answer }
    }
    this.#hasAnswered = true
    const { certificate } = chosen
    return { type: 'unfinished', answer: record(handshakeRecord, { alpn, certificate }, serverFlightBytes) }
  }

  #certificateFor(name: unknown): TlsCertificate | undefined {
    const named = this.#certificates.find(
      ({ certificate }) => typeof name === 'string' && readCertificate(certificate).isFor(name),
    )
    return named ?? this.#certificates[0]
  }
}

interface Message {
  readonly serverName?: unknown
  readonly alpn?: unknown
  readonly certificate?: unknown
  readonly alert?: string
}

/** Cuts a byte stream into records. */
class Records {
  #bytes: Uint8Array = new Uint8Array(0)

  take(bytes: Uint8Array): Message | 'not TLS' | undefined {
    const joined = new Uint8Array(this.#bytes.length + bytes.length)
    joined.set(this.#bytes)
    joined.set(bytes, this.#bytes.length)
    this.#bytes = joined
    const [type] = joined
    if (type !== undefined && type !== handshakeRecord && type !== alertRecord) return 'not TLS'
    if (joined.length < 5) return undefined
    const end = 5 + ((joined[3]! << 8) | joined[4]!)
    if (joined.length < end) return undefined
    this.#bytes = joined.subarray(end)
    try {
      return JSON.parse(new TextDecoder().decode(joined.subarray(5, end)))
    } catch {
      return 'not TLS'
    }
  }

  rest(): Uint8Array {
    return this.#bytes
  }
}

function alert(code: string): Uint8Array {
  return record(alertRecord, { alert: code }, 2)
}

/** JSON in the place of the real thing, as long as that at least. */
function record(type: number, message: object, length: number): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(message).padEnd(length))
  const bytes = new Uint8Array(5 + body.length)
  bytes.set([type, 3, 3, body.length >> 8, body.length & 255])
  bytes.set(body, 5)
  return bytes
}

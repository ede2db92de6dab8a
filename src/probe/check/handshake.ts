/** The first steps: connect, TLS with its certificate, and the challenge that a request without credentials is to get. */

import type { Host, TlsSession } from '../../core/host.ts'
import { later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import {
  type ClientTlsOptions,
  type OpenClientTransport,
  openClientTransport,
} from '../../net/client-transport.ts'
import type { Attribute } from '../../stun/attributes.ts'
import { isSameBytes } from '../../stun/bytes.ts'
import { encodeMessage } from '../../stun/encode.ts'
import { decodeMessage, type Message } from '../../stun/message.ts'
import type { MethodName } from '../../stun/methods.ts'
import type { ClientTransport } from '../../turn/socket-numbers.ts'
import type { Run } from '../run.ts'
import { fault, transportFault } from './cures.ts'
import type { Attempt } from './plan.ts'
import { settled } from './waiting.ts'
import type { Walk } from './walk.ts'

export interface HandshakeOptions {
  readonly tls?: ClientTlsOptions | undefined
  /** Whether the system says that nothing listens there, which an unconnected UDP socket never hears. */
  readonly isRefused?: ((address: TransportAddress) => Promise<boolean>) | undefined
}

/** Limit: for each of connecting, TLS and the first answer. */
const stepMs = 5000
const briefMs = 1500
/** When a request is sent again over UDP. */
const retransmitMs = [250, 750, 1750]
/** IANA protocol number of UDP (RFC 8656 §18.8). */
const udp = 17
const warnDays = 14

export interface Wire {
  readonly transport: OpenClientTransport
  readonly session: TlsSession | undefined
  /** The bytes of whole frames. */
  onFrame: (bytes: Uint8Array) => void
  /** The system's code. */
  onFailed: (reason: string) => void
}

/** Whether the server can be asked for an allocation: it has sent a challenge, or asks for no credentials. */
export async function shakeHands(
  run: Run,
  walk: Walk,
  options: HandshakeOptions,
): Promise<'challenged' | 'open' | 'stopped'> {
  const { attempt } = walk
  if (attempt.transport !== 'udp' && !(await connects(run, walk))) return 'stopped'
  const startMs = run.elapsedMs
  const wire = await openWire(run, attempt, attempt.transport, options.tls)
  if (typeof wire === 'string') {
    if (wire === 'late' && run.isOver) walk.cut(attempt.transport === 'tls' ? 'tls' : 'connect')
    else if (attempt.transport === 'tls') await explainTls(run, walk, startMs, wire, options)
    else walk.failed('connect', startMs, transportFault(wire))
    if (attempt.transport === 'udp') walk.notOffered()
    return 'stopped'
  }
  try {
    if (wire.session !== undefined) lookAtCertificate(run.host, walk, startMs, wire.session)
    return await challenge(run, walk, wire, options)
  } finally {
    wire.transport.close()
  }
}

async function connects(run: Run, walk: Walk): Promise<boolean> {
  const startMs = run.elapsedMs
  const result = await openWire(run, walk.attempt, 'tcp', undefined)
  if (typeof result !== 'string') {
    result.transport.close()
    walk.passed('connect', startMs)
    return true
  }
  walk.notOffered()
  if (result === 'late' && run.isOver) walk.cut('connect')
  else walk.failed('connect', startMs, result === 'late' ? fault('no-answer') : transportFault(result))
  return false
}

/** A socket or connection; the system's code, or 'late'. Certificates are looked at and not insisted on. */
async function openWire(
  run: Run,
  { address, serverName }: Attempt,
  transport: ClientTransport,
  tls: ClientTlsOptions | undefined,
): Promise<Wire | string> {
  let wire: Wire | undefined
  const result = await settled<Wire | string>(run, stepMs, (done) => {
    const opened: OpenClientTransport = openClientTransport(
      run.host,
      {
        transport,
        server: address,
        serverName,
        tls: { ...tls, allowInvalid: true },
        alpn: 'stun.turn',
        connectTimeoutMs: stepMs,
      },
      {
        opened: (_, session) => {
          wire = { transport: opened, session, onFrame: () => {}, onFailed: () => {} }
          done(wire)
        },
        failed: (reason) => (wire === undefined ? done(reason) : wire.onFailed(reason)),
        sendFailed: (reason) => wire?.onFailed(reason),
        frame: (bytes) => wire?.onFrame(bytes),
      },
    )
    void run.sleep(stepMs).then(() => {
      if (wire === undefined) opened.close()
    })
  })
  return result
}

async function explainTls(
  run: Run,
  walk: Walk,
  startMs: number,
  reason: string,
  options: HandshakeOptions,
): Promise<void> {
  const { attempt } = walk
  const wire = await openWire(run, attempt, 'tcp', options.tls)
  const isPlain = typeof wire !== 'string' && (await isStunServer(run, wire, attempt))
  if (typeof wire !== 'string') wire.transport.close()
  walk.notOffered()
  walk.failed(
    'tls',
    startMs,
    isPlain ? fault('not-tls') : fault('tls-failed', reason === 'late' ? 'no answer' : reason),
  )
}

function lookAtCertificate(host: Host, walk: Walk, startMs: number, session: TlsSession): void {
  const { protocol, alpn, problem, subject, validTo } = session
  const seconds = validTo - host.clock.epochSeconds()
  const daysLeft = Math.floor(seconds / 86_400)
  walk.certificate = { name: subject, daysLeft, protocol, alpn: alpn ?? null, problem: problem ?? null }
  const fail = (...found: Parameters<typeof fault>) => walk.failed('tls', startMs, fault(...found))
  if (seconds < 0) fail('certificate-expired', durationOf(-seconds))
  else if (problem === 'CERT_NOT_YET_VALID') fail('certificate-not-yet-valid')
  else if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID') fail('certificate-name', subject || 'another name')
  else if (problem !== undefined) fail('certificate-untrusted', problem)
  else {
    walk.passed('tls', startMs, `${protocol}, ${subject}, ${daysLeft} days left`)
    if (daysLeft < warnDays) walk.note(fault('certificate-expires-soon', durationOf(seconds)))
  }
}

/** `3 days`; below two days hours, below two hours minutes. */
export function durationOf(seconds: number): string {
  const [count, unit] =
    seconds >= 172_800
      ? [seconds / 86_400, 'days']
      : seconds >= 7200
        ? [seconds / 3600, 'hours']
        : [Math.max(seconds, 60) / 60, 'minutes']
  return `${Math.floor(count)} ${Math.floor(count) === 1 ? unit.slice(0, -1) : unit}`
}

/** RFC 8489 §9.2.3: the first request has no credentials, and is answered with 401, a realm and a nonce. */
async function challenge(
  run: Run,
  walk: Walk,
  wire: Wire,
  options: HandshakeOptions,
): Promise<'challenged' | 'open' | 'stopped'> {
  const { attempt } = walk
  const startMs = run.elapsedMs
  const answer = await Promise.race([
    ask(run, wire, attempt, 'Allocate', [['REQUESTED-TRANSPORT', udp]]),
    refusal(attempt, options),
  ])
  if (typeof answer === 'string') {
    if (answer === 'late' && run.isOver) walk.cut('challenge')
    else await explainSilence(run, walk, wire, startMs, answer, options.tls)
    return 'stopped'
  }
  walk.software = answer.get('SOFTWARE') ?? null
  if (answer.class === 'success') {
    walk.passed('challenge', startMs, 'asks for no credentials')
    walk.note(fault('open-relay'))
    await ask(run, wire, attempt, 'Refresh', [['LIFETIME', 0]])
    return 'open'
  }
  const error = answer.get('ERROR-CODE')
  const said = `${error?.code ?? 'no code'} ${error?.reason ?? ''}`.trim()
  if (error?.code === 401 && answer.has('REALM') && answer.has('NONCE')) {
    walk.passed('challenge', startMs, `realm ${answer.get('REALM')}`)
    return 'challenged'
  }
  // It may send us on, or be full: the client that follows hears it again, and knows what to do.
  if (error?.code === 300 || error?.code === 508 || error?.code === 486) return 'challenged'
  walk.failed('challenge', startMs, fault('no-challenge', said), error?.code ?? null)
  return 'stopped'
}

async function explainSilence(
  run: Run,
  walk: Walk,
  wire: Wire,
  startMs: number,
  reason: string,
  tls: ClientTlsOptions | undefined,
): Promise<void> {
  const { attempt } = walk
  const fail = (found: ReturnType<typeof fault>) => walk.failed('challenge', startMs, found)
  if (attempt.transport === 'udp') {
    const isAnswering = reason === 'late' && (await isStunServer(run, wire, attempt))
    if (!isAnswering) walk.notOffered()
    if (isAnswering) return fail(fault('no-turn'))
    return fail(reason === 'late' ? fault('no-answer') : transportFault(reason))
  }
  if (attempt.transport === 'tcp') {
    const secure = await openWire(run, attempt, 'tls', tls)
    if (typeof secure !== 'string') {
      secure.transport.close()
      walk.notOffered()
      return fail(fault('not-plain'))
    }
  }
  walk.notOffered()
  return fail(reason === 'late' ? fault('no-answer') : fault('connection-lost', reason))
}

/** Says ECONNREFUSED when the system does; else it never says anything. */
function refusal({ transport, address }: Attempt, { isRefused }: HandshakeOptions): Promise<string> {
  return new Promise((resolve) => {
    if (transport !== 'udp') return
    void isRefused?.(address).then((isIt) => {
      if (isIt) resolve('ECONNREFUSED')
    })
  })
}

/** A server that is there answers this at once, whatever it thinks of the rest. */
async function isStunServer(run: Run, wire: Wire, attempt: Attempt): Promise<boolean> {
  return typeof (await ask(run, wire, attempt, 'Binding', [], briefMs)) !== 'string'
}

/** One request and its answer, success or error; 'late', or the system's code. */
async function ask(
  run: Run,
  wire: Wire,
  { transport, address }: Attempt,
  method: MethodName,
  attributes: readonly Attribute[] = [],
  limitMs = stepMs,
): Promise<Message | string> {
  const transactionId = run.host.random.bytes(12)
  const bytes = encodeMessage({ class: 'request', method, transactionId, attributes })
  const { clock } = run.host
  const send = () => wire.transport.send(bytes, address)
  const again = transport === 'udp' ? retransmitMs : []
  const cancels = again.map((milliseconds) => clock.schedule(later(clock.now(), milliseconds), send))
  const result = await settled<Message | string>(run, limitMs, (done) => {
    wire.onFailed = done
    wire.onFrame = (frame) => {
      const message = decodeMessage(frame)
      if (typeof message === 'string' || message.class === 'request' || message.class === 'indication') return
      if (isSameBytes(message.transactionId, transactionId)) done(message)
    }
    send()
  })
  for (const cancel of cancels) cancel()
  return result
}

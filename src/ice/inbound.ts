/** Which generation a packet is for, and whether it is the peer's data (RFC 7983, RFC 8445 §7.3). */

import { type Datagram, datagramBytes } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { readUint32 } from '../stun/bytes.ts'
import { checkFingerprint } from '../stun/integrity.ts'
import { decodeMessage, headerBytes, type Message, magicCookie } from '../stun/message.ts'
import { ufragsOf } from './binding.ts'
import type { Generations } from './generations.ts'
import type { LiveGeneration } from './live-generation.ts'
import { Responder } from './responder.ts'
import type { Session } from './session.ts'

/** 'data' is for the application: it came from an address that has proved to be the peer's. */
export type InputVerdict = 'data' | 'stun' | 'dropped'

export class Inbound {
  readonly #session: Session
  readonly #generations: Generations
  readonly #responder: Responder

  constructor(session: Session, generations: Generations, switchRole: () => void) {
    this.#session = session
    this.#generations = generations
    this.#responder = new Responder(session, {
      switchRole,
      accepted: (generation, request, transaction, now) =>
        generations.of(generation).incoming.accept(request, transaction, now),
    })
  }

  /** Whether a STUN message is for this agent: for several agents behind one socket. */
  accepts(message: Message): boolean {
    if (message.class === 'request') return this.#generationOf(message) !== undefined
    return this.#generations.byTransaction(message.transactionId) !== undefined
  }

  handleDatagram(datagram: Datagram, now: Instant): InputVerdict {
    if (datagram.end <= datagram.start) return this.#session.drop('not-stun')
    if (!isStun(datagram)) return this.#handleData(datagram, now)
    const message = decodeMessage(datagramBytes(datagram))
    if (typeof message === 'string') return this.#session.drop('not-stun')
    const hasFingerprint = message.fingerprintOffset >= 0
    if (hasFingerprint ? !checkFingerprint(message) : message.class === 'request') {
      return this.#session.drop('bad-fingerprint')
    }
    return this.#handleMessage(message, datagram, now)
  }

  #handleMessage(message: Message, { socket, source }: Datagram, now: Instant): 'stun' | 'dropped' {
    if (message.method !== 'Binding') return this.#session.drop('unexpected-message')
    // Indications keep bindings alive, are not authenticated, and so say nothing (RFC 8445 §11).
    if (message.class === 'indication') return 'stun'
    if (message.class !== 'request') {
      const live = this.#generations.byTransaction(message.transactionId)
      if (live === undefined) return this.#session.drop('unknown-transaction')
      return live.checker.handleResponse(message, socket, source, now)
    }
    if (!this.#generations.knows(socket)) return this.#session.drop('unknown-socket')
    if (message.integrityOffset < 0 || !message.has('USERNAME')) {
      return this.#responder.refuse(message, 400, socket, source)
    }
    const live = this.#generationOf(message)
    if (live === undefined) return this.#responder.refuse(message, 401, socket, source)
    return this.#responder.handleRequest(message, live.generation, socket, source, now)
  }

  #generationOf(request: Message): LiveGeneration | undefined {
    const ufrags = ufragsOf(request)
    return ufrags && this.#generations.byUfrags(ufrags)
  }

  /** Makes no object: this is the data path. */
  #handleData(datagram: Datagram, now: Instant): InputVerdict {
    const { active, next, retiring } = this.#generations
    const isData =
      active.takeData(datagram, now) ||
      next?.takeData(datagram, now) === true ||
      retiring?.takeData(datagram, now) === true
    if (isData) return 'data'
    for (const live of this.#generations.all) live.tcp.notThePeer(datagram.socket, now)
    return this.#session.drop('unvalidated-source')
  }
}

/** By the first byte (RFC 7983 §7), and the magic cookie: data of other kinds may begin as it likes. */
function isStun({ bytes, start, end }: Datagram): boolean {
  return bytes[start]! <= 3 && end - start >= headerBytes && readUint32(bytes, start + 4) === magicCookie
}

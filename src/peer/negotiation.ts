/**
 * One peer connection and what it exchanges over signaling: perfect negotiation, where who has called is impolite. An
 * offer of another session is not for this connection (docs/signaling.md).
 */

import { randomInt } from 'node:crypto'
import type { Candidate, SignalData } from '../signaling/protocol.ts'
import type { PeerConnection } from './peer-connection.ts'

export interface NegotiationOptions {
  readonly isCaller: boolean
  readonly send: (data: SignalData) => void
  /** An offer has come and is about to be answered: the time to add tracks. */
  readonly beforeAnswer?: () => void
}

export class Negotiation {
  readonly connection: PeerConnection
  readonly isCaller: boolean
  /**
   * The session of the peer's last description; undefined before the first. Known when it arrives, for several may before
   * the first of them is applied.
   */
  remoteSession: string | undefined
  readonly #options: NegotiationOptions
  /** werift draws a session for every description; one connection is one session, with versions (RFC 8829 §5.2.1). */
  readonly #session: string
  #version = 0
  #isMakingOffer = false
  #ignoresOffer = false
  /** A description of the peer has been applied, or is just now. */
  #hasRemote = false
  /** Descriptions and candidates are applied one after the other, in the order in which they came. */
  #queue: Promise<void> = Promise.resolve()

  constructor(connection: PeerConnection, options: NegotiationOptions) {
    this.connection = connection
    this.isCaller = options.isCaller
    this.#options = options
    this.#session = String(randomInt(2 ** 47))
    connection.onicecandidate = ({ candidate }) =>
      options.send({
        candidate: candidate === undefined || candidate === null ? null : (candidate.toJSON() as Candidate),
      })
    connection.onnegotiationneeded = () => {
      // What the answer can carry needs no offer of its own.
      if (this.isCaller || this.#hasRemote) this.#offer()
    }
  }

  /** Rejects if what was sent does not fit; what came before and what comes after is applied all the same. */
  receive(data: SignalData): Promise<void> {
    if ('description' in data) this.remoteSession = sessionOf(data.description)
    const applied = this.#queue.then(() => this.#apply(data))
    this.#queue = applied.catch(() => {})
    return applied
  }

  restartIce(): void {
    this.connection.restartIce()
  }

  async #offer(): Promise<void> {
    try {
      this.#isMakingOffer = true
      await this.connection.setLocalDescription(await this.connection.createOffer())
      this.#sendDescription()
    } catch {
      // The connection was closed, or an offer of the peer has come first: then it is answered instead.
    } finally {
      this.#isMakingOffer = false
    }
  }

  async #apply(data: SignalData): Promise<void> {
    if (this.connection.signalingState === 'closed') return
    if ('candidate' in data) await this.#applyCandidate(data.candidate)
    else await this.#applyDescription(data.description)
  }

  async #applyDescription(description: { readonly type: string; readonly sdp: string }): Promise<void> {
    const { connection } = this
    const collides =
      description.type === 'offer' && (this.#isMakingOffer || connection.signalingState !== 'stable')
    this.#ignoresOffer = this.isCaller && collides
    if (this.#ignoresOffer) return
    this.#hasRemote = true
    await connection.setRemoteDescription(
      description as Parameters<typeof connection.setRemoteDescription>[0],
    )
    if (description.type !== 'offer') return
    this.#options.beforeAnswer?.()
    await connection.setLocalDescription(await connection.createAnswer())
    this.#sendDescription()
  }

  async #applyCandidate(candidate: Extract<SignalData, { candidate: unknown }>['candidate']): Promise<void> {
    const ufrag = candidate?.usernameFragment
    const remote = this.connection.remoteDescription?.sdp
    // Candidates of an offer that was ignored, or of a session before this one, fit nothing.
    if (this.#ignoresOffer || (ufrag != null && remote?.includes(`a=ice-ufrag:${ufrag}`) === false)) return
    await this.connection.addIceCandidate((candidate ?? undefined) as never)
  }

  #sendDescription(): void {
    const { type, sdp } = this.connection.localDescription!
    const ours = sdp.replace(/^o=.*$/m, `o=- ${this.#session} ${this.#version++} IN IP4 0.0.0.0`)
    this.#options.send({ description: { type: type as 'offer' | 'answer', sdp: ours } })
  }
}

/** The session that a description belongs to, by its origin line (RFC 8866 §5.2). */
export function sessionOf({ sdp }: { readonly sdp: string }): string {
  return /^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? ''
}

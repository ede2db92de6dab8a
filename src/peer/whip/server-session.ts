/** One session of a WHIP or WHEP endpoint: a peer connection that answers, and what PATCH changes of it (RFC 9725 §4.3). */

import { gathered } from '../gathering.ts'
import { type PathReport, pathOf } from '../path-report.ts'
import { PeerConnection, type PeerConnectionConfig } from '../peer-connection.ts'
import type { RTCSessionDescription } from '../session-description.ts'
import type { RTCRtpTransceiver } from '../werift.ts'
import { type Reply, reject } from './reply.ts'
import {
  formatSdpFragment,
  fragmentOf,
  fragmentType,
  isDescription,
  type SdpFragment,
  withFragment,
} from './sdp-fragment.ts'

export type WhipRole = 'publisher' | 'player'

export interface ServerSessionHandlers {
  /** The offer is set and about to be answered: the time to say what each transceiver does. */
  beforeAnswer(transceivers: readonly RTCRtpTransceiver[]): void
  connected(): void
  ended(reason: string): Promise<void>
}

/** Limit: who has not connected by then, will not. */
const connectMs = 30_000

export class ServerSession {
  readonly id: string
  readonly role: WhipRole
  readonly connection: PeerConnection
  /** Names the ICE session: another one after each restart. A strong entity tag (RFC 9110 §8.8.3). */
  tag: string
  /** The offer was taken: there is something that can end. */
  isAnswered = false
  readonly #newTag: () => string
  readonly #handlers: ServerSessionHandlers
  #offer = ''
  /** Requests overlap; what they change is changed by one after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  #isEnded = false
  readonly #deadline: NodeJS.Timeout

  constructor(
    id: string,
    role: WhipRole,
    configuration: PeerConnectionConfig,
    newTag: () => string,
    handlers: ServerSessionHandlers,
  ) {
    this.id = id
    this.role = role
    this.connection = new PeerConnection(configuration)
    this.#newTag = newTag
    this.tag = newTag()
    this.#handlers = handlers
    this.#deadline = setTimeout(() => this.end('did not connect in time').catch(() => {}), connectMs)
    this.connection.onconnectionstatechange = () => this.#stateChanged()
  }

  path(): Promise<PathReport | undefined> {
    return pathOf(this.connection)
  }

  /** The answer to the offer, with all candidates, for there is no later way to tell them. A reply refuses the offer. */
  async answer(offer: string): Promise<string | Reply> {
    const { connection } = this
    this.#offer = offer
    if (!isDescription(offer)) return reject(400, 'not a session description with ICE credentials')
    try {
      await connection.setRemoteDescription({ type: 'offer', sdp: offer })
    } catch (error) {
      return reject(400, `the offer cannot be read: ${error}`)
    }
    const transceivers = connection.getTransceivers()
    for (const kind of ['audio', 'video']) {
      const count = transceivers.filter((transceiver) => transceiver.kind === kind).length
      if (count > 1) return reject(406, `${count} sections of ${kind}: at most one is taken`)
    }
    if (transceivers.length === 0) return reject(406, 'the offer has neither audio nor video')
    this.#handlers.beforeAnswer(transceivers)
    try {
      const answer = await connection.createAnswer()
      // No partial success (RFC 9725 §4.4.3).
      if (/^m=(?:audio|video) 0 /m.test(answer.sdp))
        return reject(406, 'no codec of the offer is spoken here')
      const sdp = await this.#describe(answer)
      this.isAnswered = true
      return sdp
    } catch (error) {
      return reject(406, `the offer cannot be answered: ${error}`)
    }
  }

  /** Takes candidates, or restarts ICE: `ifMatch` says which of the two is meant. */
  patch(fragment: SdpFragment, ifMatch: string | undefined): Promise<Reply> {
    const done = this.#queue.then(() => this.#patch(fragment, ifMatch))
    this.#queue = done.catch(() => {})
    return done
  }

  async end(reason: string): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#deadline)
    await this.connection.close()
    await this.#handlers.ended(reason)
  }

  async #patch(fragment: SdpFragment, ifMatch: string | undefined): Promise<Reply> {
    if (this.#isEnded) return reject(404, 'no such session')
    if (ifMatch === undefined)
      return reject(428, 'If-Match is missing: the entity tag of the session, or * to restart ICE')
    if (ifMatch !== '*' && ifMatch !== this.tag)
      return reject(412, 'the entity tag is of another ICE session')
    const now = fragmentOf(this.#offer)
    const isSame = now?.ufrag === fragment.ufrag && now.pwd === fragment.pwd
    if (ifMatch === '*' && !isSame) return this.#restart(fragment)
    if (!isSame) return reject(400, 'other ICE credentials: an ICE restart takes If-Match: *')
    const mid = this.connection.getTransceivers()[0]?.mid ?? '0'
    for (const candidate of fragment.candidates) {
      // One that cannot be used is let go of (RFC 9725 §4.3.2).
      await this.connection.addIceCandidate({ candidate, sdpMid: mid }).catch(() => {})
    }
    if (fragment.isComplete) await this.connection.addIceCandidate(null).catch(() => {})
    return { status: 204 }
  }

  async #restart(fragment: SdpFragment): Promise<Reply> {
    const offer = withFragment(this.#offer, fragment)
    try {
      await this.connection.setRemoteDescription({ type: 'offer', sdp: offer })
      const own = fragmentOf(await this.#describe(await this.connection.createAnswer()))
      if (own === undefined) return reject(500, 'ICE could not be restarted')
      this.#offer = offer
      this.tag = this.#newTag()
      return {
        status: 200,
        headers: { 'Content-Type': fragmentType, ETag: this.tag },
        body: formatSdpFragment(own, this.connection.getTransceivers()[0]?.mid ?? '0'),
      }
    } catch (error) {
      return reject(500, `ICE could not be restarted: ${error}`)
    }
  }

  /** Our description with every candidate in it. */
  async #describe(answer: RTCSessionDescription): Promise<string> {
    await this.connection.setLocalDescription(answer)
    await gathered(this.connection)
    return this.connection.localDescription!.sdp
  }

  #stateChanged(): void {
    const state = this.connection.connectionState
    if (state === 'connected') {
      clearTimeout(this.#deadline)
      this.#handlers.connected()
    } else if (state === 'failed') this.end(`no connection: ${this.connection.explain()}`).catch(() => {})
    else if (state === 'closed') this.end('the peer has closed the connection').catch(() => {})
  }
}

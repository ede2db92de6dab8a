/**
 * WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) as a client: publishes media to an HTTP endpoint, or plays what one has.
 * Trickles with PATCH where the endpoint gives an entity tag; restarts ICE; ends with DELETE.
 */

import { TurnpikeError } from '../../core/errors.ts'
import type { IceServer } from '../../signaling/protocol.ts'
import { gathered } from '../gathering.ts'
import type { MediaSource } from '../media-source.ts'
import { type PathReport, pathOf } from '../path-report.ts'
import { PeerConnection, type PeerConnectionConfig } from '../peer-connection.ts'
import { type Recording, record } from '../recording.ts'
import type { MediaStreamTrack } from '../werift.ts'
import { ask, type HttpAnswer } from './http.ts'
import { parseIceServers } from './link.ts'
import {
  firstMid,
  formatSdpFragment,
  fragmentOf,
  fragmentType,
  isDescription,
  parseSdpFragment,
  type SdpFragment,
  withFragment,
} from './sdp-fragment.ts'

export interface WhipOptions {
  /** `http://` or `https://` of the endpoint. */
  readonly url: string
  /** Shown as `Authorization: Bearer …`. */
  readonly token?: string | undefined
  /** Unless false, the offer is sent at once and candidates follow as they come. */
  readonly trickle?: boolean | undefined
  /** Instead of those that the endpoint tells. */
  readonly iceServers?: readonly IceServer[] | undefined
  /** What else the connection is to be made with. */
  readonly configuration?: Omit<PeerConnectionConfig, 'iceServers'> | undefined
  readonly handlers?: WhipHandlers | undefined
}

export interface WhipHandlers {
  readonly connected?: () => void
  readonly track?: (track: MediaStreamTrack) => void
  /** The session is over. `reason` is for people. */
  readonly ended?: (reason: string) => void
}

/** Publishes the tracks (WHIP). Resolves when the endpoint has answered; rejects with `call-failed` and what it said. */
export function publish(media: MediaSource, options: WhipOptions): Promise<WhipSession> {
  return WhipSession.open(options, (connection) => {
    for (const track of media.tracks) connection.addTransceiver(track, { direction: 'sendonly' })
  })
}

/** Plays what the endpoint has (WHEP), and writes it to a WebM file if one is named. */
export function play(
  options: WhipOptions & { readonly recordTo?: string | undefined },
): Promise<WhipSession> {
  const open = (connection: PeerConnection) => {
    for (const kind of ['video', 'audio'] as const) connection.addTransceiver(kind, { direction: 'recvonly' })
  }
  return WhipSession.open(options, open, options.recordTo)
}

export class WhipSession implements AsyncDisposable {
  readonly connection: PeerConnection
  readonly #options: WhipOptions
  readonly #recording: Recording | undefined
  /** Of the session; '' before the endpoint has told it. */
  #url = ''
  #answer = ''
  /** Of the ICE session; undefined where the endpoint takes no PATCH. */
  #tag: string | undefined
  #untold: string[] = []
  #isGathered = false
  #isRestarting = false
  /** Requests go one after another: a later one may depend on the entity tag of an earlier one. */
  #queue: Promise<void> = Promise.resolve()
  #isEnded = false
  readonly #waiting = Promise.withResolvers<void>()

  static async open(
    options: WhipOptions,
    addMedia: (connection: PeerConnection) => void,
    recordTo?: string,
  ): Promise<WhipSession> {
    const session = new WhipSession(options, recordTo)
    try {
      addMedia(session.connection)
      await session.#negotiate()
      return session
    } catch (error) {
      await session.#end('refused')
      throw error
    }
  }

  private constructor(options: WhipOptions, recordTo: string | undefined) {
    this.#options = options
    this.#recording = recordTo === undefined ? undefined : record(recordTo, 2)
    this.connection = new PeerConnection({
      ...options.configuration,
      iceServers: flatten(options.iceServers ?? []),
    })
    // Nobody need wait for it.
    this.#waiting.promise.catch(() => {})
    this.connection.onicecandidate = ({ candidate }) => this.#gathered(candidate?.candidate)
    this.connection.onconnectionstatechange = () => this.#stateChanged()
    this.connection.onTrack.subscribe((track) => {
      this.#recording?.add(track)
      options.handlers?.track?.(track)
    })
  }

  /** Where the session can be ended. */
  get url(): string {
    return this.#url
  }

  /** Resolves when media may flow; rejects with the reason when the session ends before. */
  connected(): Promise<void> {
    return this.#waiting.promise
  }

  path(): Promise<PathReport | undefined> {
    return pathOf(this.connection)
  }

  explain(): string {
    return this.connection.explain()
  }

  /** Finds a new path while the old one is in use (RFC 9725 §4.3.3). Rejects if the endpoint will not; the session goes on. */
  restartIce(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isRestarting = true
      try {
        await this.#restart()
      } finally {
        this.#isRestarting = false
        this.#untold = []
        this.#isGathered = false
      }
    })
  }

  /** Ends the session at the endpoint too. Resolves when every socket is closed and the recording complete. */
  async close(reason = 'closed'): Promise<void> {
    if (!this.#isEnded && this.#url !== '') {
      // An endpoint that cannot be reached any more finds out by itself.
      await ask('DELETE', this.#url, { token: this.#options.token }).catch(() => {})
    }
    await this.#end(reason)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #negotiate(): Promise<void> {
    const { connection } = this
    const { url, token, trickle = true, iceServers } = this.#options
    const offer = await connection.createOffer()
    if (!trickle) {
      await connection.setLocalDescription(offer)
      await gathered(connection)
    }
    const sdp = trickle ? offer.sdp : connection.localDescription!.sdp
    const answer = await ask('POST', url, { token, type: 'application/sdp', body: sdp })
    const location = answer.headers.get('location')
    if (answer.status !== 201 || location === null) {
      throw refused(url, answer, 'which is not 201 Created with a Location')
    }
    this.#url = sessionUrl(location, answer.url)
    this.#answer = answer.body
    if (trickle) {
      const told = parseIceServers(answer.headers.get('link'))
      // Read when gathering begins, which the next line does.
      if (iceServers === undefined) connection.setConfiguration({ iceServers: flatten(told) })
      this.#tag = answer.headers.get('etag') ?? undefined
      await connection.setLocalDescription(offer)
    } else {
      this.#tag = answer.headers.get('etag') ?? undefined
      this.#untold = []
    }
    await this.#applyAnswer(answer.body)
    this.#tellSoon()
  }

  async #applyAnswer(sdp: string): Promise<void> {
    try {
      if (!isDescription(sdp)) throw new Error('it is no session description')
      await this.connection.setRemoteDescription({ type: 'answer', sdp })
    } catch (cause) {
      throw new TurnpikeError('call-failed', `what ${this.#options.url} answered does not fit: ${cause}`, {
        cause,
      })
    }
  }

  #gathered(candidate: string | undefined): void {
    if (candidate === undefined || candidate === '') this.#isGathered = true
    else this.#untold.push(candidate.startsWith('candidate:') ? candidate : `candidate:${candidate}`)
    this.#tellSoon()
  }

  /** What has been gathered while an earlier message was under way goes in one. */
  #tellSoon(): void {
    if (this.#options.trickle === false || this.#url === '' || this.#isRestarting) return
    this.#inTurn(() => this.#tell()).catch(() => {})
  }

  async #tell(): Promise<void> {
    const own = fragmentOf(this.connection.localDescription?.sdp ?? '')
    if (this.#tag === undefined || own === undefined || this.#isEnded) return
    const candidates = this.#untold.splice(0)
    if (candidates.length === 0 && !this.#isGathered) return
    const isComplete = this.#isGathered
    this.#isGathered = false
    const { status } = await this.#patch({ ...own, candidates, isComplete }, this.#tag)
    // Whoever cannot be trickled to will not be able to the next time.
    if (status === 405 || status === 422 || status === 501) this.#tag = undefined
  }

  async #restart(): Promise<void> {
    const { connection } = this
    if (this.#tag === undefined) throw new TurnpikeError('call-failed', `${this.#url} takes no ICE restart`)
    connection.restartIce()
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }))
    await gathered(connection)
    const own = fragmentOf(connection.localDescription!.sdp)!
    const answer = await this.#patch(own, '*')
    const remote = parseSdpFragment(answer.body)
    const tag = answer.headers.get('etag')
    if (answer.status !== 200 || typeof remote === 'string') {
      await connection.setLocalDescription({ type: 'rollback' })
      throw refused(this.#url, answer, 'which is no answer to an ICE restart')
    }
    this.#tag = tag ?? undefined
    this.#answer = withFragment(this.#answer, remote)
    await this.#applyAnswer(this.#answer)
  }

  #patch(fragment: SdpFragment, tag: string): Promise<HttpAnswer> {
    return ask('PATCH', this.#url, {
      token: this.#options.token,
      type: fragmentType,
      body: formatSdpFragment(fragment, firstMid(this.connection.localDescription!.sdp)),
      headers: { 'If-Match': tag },
    })
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(act)
    this.#queue = done.catch(() => {})
    return done
  }

  #stateChanged(): void {
    const state = this.connection.connectionState
    if (state === 'connected') {
      this.#waiting.resolve()
      this.#options.handlers?.connected?.()
    } else if (state === 'failed') this.close(`no connection: ${this.explain()}`).catch(() => {})
    else if (state === 'closed') this.#end('the endpoint has ended it').catch(() => {})
  }

  async #end(reason: string): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#waiting.reject(new TurnpikeError('call-failed', reason))
    await this.connection.close()
    await this.#recording?.close()
    this.#options.handlers?.ended?.(reason)
  }
}

/** Relative to the endpoint, as a rule. What began with TLS does not go on without. */
function sessionUrl(location: string, from: string): string {
  const url = URL.canParse(location, from) ? new URL(location, from) : undefined
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && from.startsWith('http:'))
  if (url !== undefined && isSafe) return url.href
  throw new TurnpikeError('call-failed', `${from} answered with ${JSON.stringify(location)} as its session`)
}

/** werift takes one URL each. */
function flatten(servers: readonly IceServer[]) {
  return servers.flatMap(({ urls, ...credentials }) => urls.map((url) => ({ urls: url, ...credentials })))
}

function refused(url: string, { status, statusText, body }: HttpAnswer, why: string): TurnpikeError {
  const words = body.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, 200)
  const said = status >= 400 && words !== '' ? `: ${words}` : status >= 400 ? '' : `, ${why}`
  return new TurnpikeError('call-failed', `${url} answered ${status} ${statusText}${said}`)
}

/**
 * The ICE transport of one peer connection, opened when its role is known: what the peer signals before that waits.
 * Knows nothing of werift; `werift.ts` joins the two.
 */

import type { Host } from '../core/host.ts'
import type { CandidateDescription } from '../ice/candidate.ts'
import { type IceCredentials, type IceDescription, newCredentials } from '../ice/credentials.ts'
import type { IceState, PairSummary } from '../ice/outputs.ts'
import type { IceRole } from '../ice/role.ts'
import type { IceStats } from '../ice/stats.ts'
import type { IceServer, IceTransportOptions } from '../net/ice/options.ts'
import { type IceTransport, type IceTransportEvent, openIce } from '../net/ice/transport.ts'

export interface ServerFailure {
  readonly url: string
  readonly reason: string
}

export interface IceSessionHandlers {
  candidate(candidate: CandidateDescription, ufrag: string): void
  endOfCandidates(): void
  state(state: IceState, reason: string | undefined): void
  serverFailed(failure: ServerFailure): void
  data(bytes: Uint8Array): void
}

/** Read when the transport is opened: a peer connection may be configured until then. */
export type IceSessionOptions = () => Omit<IceTransportOptions, 'role' | 'credentials'> & {
  readonly servers?: readonly IceServer[]
}

export class IceSession {
  readonly #host: Host
  readonly #options: IceSessionOptions
  readonly #handlers: IceSessionHandlers
  credentials: IceCredentials
  /** What servers have failed with, for the explanation of a failure. */
  readonly serverFailures: ServerFailure[] = []
  #transport: IceTransport | undefined
  #remote: IceDescription | undefined
  /** Signalled before there was a transport. */
  #early: (CandidateDescription | 'end')[] = []
  #state: IceState = 'new'
  #closed: Promise<void> | undefined
  #onClosed: () => void = () => {}

  constructor(host: Host, options: IceSessionOptions, handlers: IceSessionHandlers) {
    this.#host = host
    this.#options = options
    this.#handlers = handlers
    this.credentials = newCredentials(host.random)
  }

  get state(): IceState {
    return this.#state
  }

  get isOpen(): boolean {
    return this.#transport !== undefined && this.#closed === undefined
  }

  /** Opens the sockets and gathers; candidates come one by one. Does nothing if that has been done. */
  gather(role: IceRole): void {
    if (this.#transport !== undefined || this.#closed !== undefined) return
    this.#transport = openIce(
      this.#host,
      { ...this.#options(), role, credentials: this.credentials },
      { onEvent: (event) => this.#handle(event), onData: (bytes) => this.#handlers.data(bytes) },
    )
    if (this.#remote !== undefined) this.#transport.connect(this.#remote)
    for (const candidate of this.#early) this.#add(candidate)
    this.#early = []
    this.#transport.gather()
  }

  setRemote(remote: IceDescription): void {
    this.#remote = remote
    this.#transport?.connect(remote)
  }

  addRemoteCandidate(candidate: CandidateDescription | 'end'): void {
    if (this.#transport === undefined) this.#early.push(candidate)
    else this.#add(candidate)
  }

  /** New credentials, and candidates with them; data goes on by the path that there is. */
  restart(): IceCredentials {
    this.credentials = this.#transport?.restart() ?? newCredentials(this.#host.random)
    return this.credentials
  }

  /** Dropped, as on any path that loses packets, while there is none. */
  send(bytes: Uint8Array): void {
    this.#transport?.send(bytes)
  }

  pairs(): PairSummary[] {
    return this.#transport?.pairs() ?? []
  }

  stats(): IceStats {
    return this.#transport?.stats() ?? { pairs: [], candidates: [] }
  }

  /** Resolves when every socket is closed and every allocation given back. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#onClosed = resolve
      if (this.#transport === undefined) resolve()
      else this.#transport.close()
      this.#setState('closed', undefined)
    })
    return this.#closed
  }

  #add(candidate: CandidateDescription | 'end'): void {
    if (candidate === 'end') this.#transport?.endOfRemoteCandidates()
    else this.#transport?.addRemoteCandidate(candidate)
  }

  #handle(event: IceTransportEvent): void {
    switch (event.type) {
      case 'local-candidate':
        this.#handlers.candidate(event.candidate, event.ufrag)
        return
      case 'end-of-candidates':
        this.#handlers.endOfCandidates()
        return
      case 'state':
        this.#setState(event.state, event.reason)
        return
      case 'server-failed':
        this.serverFailures.push({ url: event.url, reason: event.reason })
        this.#handlers.serverFailed(event)
        return
      case 'closed':
        this.#onClosed()
        return
      default:
    }
  }

  #setState(state: IceState, reason: string | undefined): void {
    if (state === this.#state) return
    this.#state = state
    this.#handlers.state(state, reason)
  }
}

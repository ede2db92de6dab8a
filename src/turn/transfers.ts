/**
 * Where several engines serve one set of clients, a client may come to one with what another has given it: a
 * RESERVATION-TOKEN (RFC 8656 §7.2) or a MOBILITY-TICKET (RFC 8016 §3.2.2). Both say whose they are; the engine asks
 * that one ('fetch'), is told (`fetched`), binds the relay sockets again, and then deals with the request as if all of
 * it had been here from the start.
 *
 * Deviation: packets that the client has under way from its old address are lost when its allocation moves to another
 * engine, for they still arrive at the old one.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { adopt } from './adopting.ts'
import type { Credential } from './credential.ts'
import { give } from './giving.ts'
import type { Outcome } from './outcome.ts'
import type { RelaySocket } from './relay-sockets.ts'
import type { ServerState } from './request.ts'
import {
  type FetchAnswer,
  type FetchingRequest,
  type FetchResult,
  portsOf,
  type TransferDesk,
  type TransferKey,
  type Transferred,
  type WaitingRequest,
} from './transfer-items.ts'

/** Limit: things that are being fetched. Who comes when so many are is not answered, and asks again. */
const mostFetches = 1024

interface Fetch {
  readonly name: string
  /** Undefined once the connection that it came by is gone. */
  request: WaitingRequest | undefined
  readonly credential: Credential
}

/** What has been handed over and has not all of its sockets yet. */
interface Adoption {
  readonly fetch: Fetch
  readonly item: Transferred
  readonly sockets: readonly RelaySocket[]
  readonly missing: Set<SocketId>
}

export class Transfers implements TransferDesk {
  readonly #state: () => ServerState
  readonly engine: number
  resume: (request: WaitingRequest, result: FetchResult, now: Instant) => void = () => {}
  readonly #byId = new Map<number, Fetch>()
  readonly #byName = new Map<string, Fetch>()
  readonly #adoptions = new Map<SocketId, Adoption>()
  #nextId = 0

  constructor(engine: number, state: () => ServerState) {
    this.engine = engine
    this.#state = state
  }

  fetch(owner: number, key: TransferKey, { socket, client, message, credential }: FetchingRequest): Outcome {
    const name = nameOf(key)
    if (this.#byName.has(name) || this.#byId.size >= mostFetches) return { type: 'later' }
    const id = this.#nextId++
    const request = { socket, source: client, bytes: message.bytes.slice() }
    const fetch = { name, request, credential }
    this.#byName.set(name, fetch)
    this.#byId.set(id, fetch)
    this.#state().outputs.push({ type: 'fetch', id, owner, key })
    return { type: 'later' }
  }

  fetched(id: number, answer: FetchAnswer, now: Instant): void {
    const fetch = this.#byId.get(id)
    if (fetch === undefined) return
    this.#byId.delete(id)
    if (answer === undefined) this.#finish(fetch, 'nowhere', now)
    else if (answer.kind === 'refused') this.#finish(fetch, answer.code, now)
    else this.#bind(fetch, answer, now)
  }

  /** The connection is gone: what its client has asked for is kept here, for who comes with the key to it. */
  streamClosed(socket: SocketId): void {
    for (const fetch of this.#byName.values()) if (fetch.request?.socket === socket) fetch.request = undefined
  }

  give(key: TransferKey, engine: number, now: Instant): FetchAnswer {
    return give(this.#state(), key, engine, now)
  }

  bound(socket: SocketId, now: Instant): boolean {
    const adoption = this.#adoptions.get(socket)
    if (adoption === undefined) return false
    this.#adoptions.delete(socket)
    adoption.missing.delete(socket)
    if (adoption.missing.size > 0) return true
    const { fetch, item, sockets } = adoption
    const state = this.#state()
    for (const one of sockets) state.sockets.opened(one)
    adopt(state, item, sockets, fetch.credential, now)
    this.#finish(fetch, 'here', now)
    return true
  }

  failed(socket: SocketId, now: Instant): boolean {
    const adoption = this.#adoptions.get(socket)
    if (adoption === undefined) return false
    const { sockets, quotas } = this.#state()
    const { item, fetch } = adoption
    for (const one of adoption.sockets) {
      this.#adoptions.delete(one.socket)
      if (one.socket === socket) {
        sockets.forget(socket)
        sockets.releasePort(one.local)
      } else sockets.close(one)
    }
    quotas.release(item.userId, 1)
    this.#finish(fetch, 'nowhere', now)
    return true
  }

  #bind(fetch: Fetch, item: Transferred, now: Instant): void {
    const state = this.#state()
    state.quotas.takeOver(item.userId, 1)
    const sockets = portsOf(item).flatMap((local) => state.sockets.adopt(local) ?? [])
    if (sockets.length === 0) {
      state.quotas.release(item.userId, 1)
      this.#finish(fetch, 'nowhere', now)
      return
    }
    const adoption = { fetch, item, sockets, missing: new Set(sockets.map(({ socket }) => socket)) }
    for (const { socket } of sockets) this.#adoptions.set(socket, adoption)
  }

  #finish({ name, request }: Fetch, result: FetchResult, now: Instant): void {
    this.#byName.delete(name)
    if (request !== undefined) this.resume(request, result, now)
  }
}

function nameOf(key: TransferKey): string {
  return key.kind === 'reservation' ? `r${String.fromCharCode(...key.token)}` : `a${key.handle}`
}

/**
 * Candidates of the peer on their way to the checklists (RFC 8838 §11): those that come before their credentials wait,
 * those with an mDNS name wait for its address, those of no use are ignored with a reason.
 */

import { isIPv4 } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { type CandidateDescription, isPriority } from './candidate.ts'
import type { Generation } from './generation.ts'
import type { IgnoredReason } from './outputs.ts'
import type { Session } from './session.ts'

export type RemoteCandidateVerdict = 'added' | 'redundant' | 'buffered' | 'resolving' | IgnoredReason

/** Limit: more than a checklist holds. */
const maxCandidates = 256

interface Waiting {
  readonly candidate: CandidateDescription
  readonly stream: number
  readonly generation: Generation | undefined
}

export class RemoteCandidates {
  readonly #session: Session
  /** Before their credentials. */
  #early: Waiting[] = []
  /** Before the address of their name. */
  readonly #unresolved = new Map<string, Waiting[]>()

  constructor(session: Session) {
    this.#session = session
  }

  /** `newest` is the generation that candidates are for, `isKnown` whether an older one has those credentials. */
  add(
    candidate: CandidateDescription,
    stream: number,
    newest: Generation,
    isOld: (ufrag: string) => boolean,
  ): RemoteCandidateVerdict {
    const { remote } = newest
    if (remote === undefined || (candidate.ufrag !== undefined && candidate.ufrag !== remote.ufrag)) {
      // Until the peer has answered a restart, it may still do so with credentials that it had before.
      if (remote !== undefined && candidate.ufrag !== undefined && isOld(candidate.ufrag))
        return this.#ignore(candidate, 'old-generation')
      if (this.#early.length >= maxCandidates) return this.#ignore(candidate, 'too-many')
      this.#early.push({ candidate, stream, generation: undefined })
      return 'buffered'
    }
    const list = newest.set.lists[stream]
    if (list === undefined) return this.#ignore(candidate, 'no-such-stream')
    if (list.component(candidate.component) === undefined) return this.#ignore(candidate, 'no-such-component')
    if (newest.hasAllRemotes) return this.#ignore(candidate, 'after-end-of-candidates')
    if (newest.remotes.length >= maxCandidates) return this.#ignore(candidate, 'too-many')
    const { address } = candidate
    if (address instanceof TransportAddress) return this.#put(candidate, address, undefined, stream, newest)
    return this.#resolve(address.name, { candidate, stream, generation: newest })
  }

  /** What the peer has told for one generation is good for another one, where its credentials are the same. */
  adopt(from: Generation, to: Generation): void {
    for (const remote of from.remotes) {
      if (remote.type !== 'prflx') this.#put(remote, remote.address, remote.name, remote.stream, to)
    }
    for (const [name, others] of this.#unresolved) {
      const moved = others.map((waiting) =>
        waiting.generation === from ? { ...waiting, generation: to } : waiting,
      )
      this.#unresolved.set(name, moved)
    }
    if (from.hasAllRemotes) to.endOfRemotes()
  }

  /** The credentials are there: candidates that waited for them. */
  takeEarly(): readonly { candidate: CandidateDescription; stream: number }[] {
    const early = this.#early
    this.#early = []
    return early
  }

  /** The addresses of a name, their ports ignored; none if it could not be resolved, which is nothing unusual. */
  nameResolved(name: string, addresses: readonly TransportAddress[], newest: Generation): void {
    const waiting = this.#unresolved.get(name) ?? []
    this.#unresolved.delete(name)
    for (const { candidate, stream, generation } of waiting) {
      if (generation !== newest) continue
      if (addresses.length === 0) this.#ignore(candidate, 'name-not-resolved')
      for (const address of addresses) {
        this.#put(candidate, address.withPort(candidate.address.port), name, stream, newest)
      }
    }
  }

  #resolve(name: string, waiting: Waiting): RemoteCandidateVerdict {
    if (!isMdnsName(name)) return this.#ignore(waiting.candidate, 'unusable-name')
    const others = this.#unresolved.get(name)
    if (others !== undefined) {
      others.push(waiting)
      return 'resolving'
    }
    this.#unresolved.set(name, [waiting])
    this.#session.outputs.push({ type: 'resolve-name', name })
    return 'resolving'
  }

  #put(
    candidate: CandidateDescription,
    address: TransportAddress,
    name: string | undefined,
    stream: number,
    generation: Generation,
  ): RemoteCandidateVerdict {
    if (!isUsable(candidate, address)) return this.#ignore(candidate, 'unusable-address')
    const known = generation.findRemote(stream, candidate.protocol, candidate.tcpType, address)
    if (known === undefined) generation.addRemote(candidate, address, stream, name)
    else if (known.type === 'prflx' || known.priority < candidate.priority)
      generation.signalled(known, candidate, name)
    else return 'redundant'
    return 'added'
  }

  #ignore(candidate: CandidateDescription, reason: IgnoredReason): IgnoredReason {
    this.#session.outputs.push({ type: 'remote-candidate-ignored', candidate, reason })
    return reason
  }
}

/** One label and `.local`, as draft-ietf-mmusic-mdns-ice-candidates has them; other names are not asked for (RFC 8839 §5.1). */
function isMdnsName(name: string): boolean {
  return /^[A-Za-z0-9-]{1,63}\.local$/.test(name)
}

/** Not the unspecified address, no group, no broadcast; no port 0, but for TCP that the peer opens from any. */
function isUsable(candidate: CandidateDescription, address: TransportAddress): boolean {
  if (!isPriority(candidate.priority)) return false
  if (address.port === 0 && candidate.tcpType !== 'active') return false
  if (isIPv4(address)) {
    const first = address.d >>> 24
    return first !== 0 && first < 224
  }
  const isUnspecified = address.a === 0 && address.b === 0 && address.c === 0 && address.d === 0
  return !isUnspecified && address.a >>> 24 !== 0xff
}

/** What has been gathered and is still there: put into each generation, and told to the peer with its credentials. */

import type { SocketId } from '../core/sans-io.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { mapAddresses } from './address-mapping.ts'
import type { CandidateDescription, LocalCandidate } from './candidate.ts'
import type { GatheredCandidate } from './gathered-candidate.ts'
import type { Generation } from './generation.ts'
import { localCandidateOf } from './local-candidates.ts'
import type { Session } from './session.ts'

export type LocalCandidateVerdict = 'added' | 'redundant' | 'filtered' | 'ended'

export class GatheredCandidates {
  readonly #session: Session
  #gathered: GatheredCandidate[] = []

  constructor(session: Session) {
    this.#session = session
  }

  add(gathered: GatheredCandidate, generation: Generation): LocalCandidateVerdict {
    let verdict: LocalCandidateVerdict = 'filtered'
    for (const candidate of mapAddresses(gathered, this.#session.options.addressMapping)) {
      const result = this.#put(candidate, generation, true)
      // What comes too late for this generation is told with the next one.
      if (result === 'added' || result === 'ended') {
        this.#gathered = this.#gathered.filter((known) => !isFormer(known, candidate))
        this.#gathered.push(candidate)
      }
      if (verdict !== 'added') verdict = result
    }
    return verdict
  }

  /** Puts all into a new generation. `isTold`: whether the peer is told of them, for it may have been already. */
  addTo(generation: Generation, isTold: boolean): void {
    for (const gathered of this.#gathered) this.#put(gathered, generation, isTold)
  }

  removeSocket(socket: SocketId): void {
    this.#gathered = this.#gathered.filter((gathered) => gathered.socket !== socket)
  }

  #put(gathered: GatheredCandidate, generation: Generation, isTold: boolean): LocalCandidateVerdict {
    if (generation.hasAllLocals) return 'ended'
    const candidate = localCandidateOf(gathered, generation, this.#session)
    const { options } = this.#session
    if (!options.gatherFilter(candidate)) return 'filtered'
    const isNew = generation.addLocal(candidate)
    // One that adds no pair may still be what tells the address: a host candidate was hidden behind a name, or kept back.
    const isNews =
      isTold &&
      options.advertiseFilter(candidate) &&
      this.#tell(options.describe(candidate), candidate, generation)
    return isNew || isNews ? 'added' : 'redundant'
  }

  /** False if the peer has been told already. */
  #tell(candidate: CandidateDescription, local: LocalCandidate, generation: Generation): boolean {
    const { stream, protocol, component, tcpType } = local
    const { address } = candidate
    const where = address instanceof TransportAddress ? `${address}` : `${address.name}:${address.port}`
    const key = [stream, component, protocol, tcpType, where].join(' ')
    if (generation.told.has(key)) return false
    generation.told.add(key)
    const { ufrag } = generation.credentials
    this.#session.outputs.push({ type: 'local-candidate', stream, ufrag, candidate, local })
    return true
  }
}

/** The server sees that socket at another address now. */
function isFormer(known: GatheredCandidate, { type, socket, server, address }: GatheredCandidate): boolean {
  if (type !== 'srflx' || known.type !== 'srflx' || known.socket !== socket) return false
  const isSameServer =
    server === undefined ? known.server === undefined : known.server?.equals(server) === true
  return isSameServer && !known.address.equals(address)
}

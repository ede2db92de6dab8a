/** Foundations (RFC 8445 §5.1.1.3): one text for all candidates of one type, base address, server and transport. */

import type { TransportAddress } from '../core/transport-address.ts'
import type { CandidateProtocol, CandidateType } from './candidate.ts'

export interface FoundationInputs {
  readonly type: CandidateType
  readonly base: TransportAddress
  readonly protocol: CandidateProtocol
  /** The address of the STUN or TURN server that it came from. */
  readonly server: TransportAddress | undefined
}

export class Foundations {
  readonly #known = new Map<string, string>()

  of({ type, base, protocol, server }: FoundationInputs): string {
    const key = `${type} ${base.ip} ${protocol} ${server?.ip ?? ''}`
    let foundation = this.#known.get(key)
    if (foundation === undefined) {
      foundation = `${this.#known.size + 1}`
      this.#known.set(key, foundation)
    }
    return foundation
  }
}

/**
 * Sends clients that want an allocation to other servers (RFC 8489 §10, RFC 8656 §7.2 step 11): 300 with
 * ALTERNATE-SERVER, and ALTERNATE-DOMAIN for the certificate of a TLS server. Only who has authenticated is sent on,
 * and learns where by a signed answer: a stranger's forged redirection can be told from it.
 */

import type { Attribute } from '../stun/attributes.ts'
import type { AlternateServer } from './alternate-server.ts'
import { type Outcome, reject } from './outcome.ts'
import type { TurnRequest } from './request.ts'
import type { ClientTransport } from './socket-numbers.ts'

export class Redirects {
  #alternates: readonly AlternateServer[]
  #turn = 0

  constructor(alternates: readonly AlternateServer[]) {
    this.#alternates = alternates
  }

  /** From now on clients are sent there, in turns; to nowhere if there are none. */
  set(alternates: readonly AlternateServer[]): void {
    this.#alternates = alternates
  }

  /** The answer to an Allocate that goes elsewhere; undefined for one that is served here. */
  redirect(request: TurnRequest, transport: ClientTransport): Outcome | undefined {
    // A reserved port is on this server and on no other.
    if (this.#alternates.length === 0 || request.message.has('RESERVATION-TOKEN')) return undefined
    const { family } = request.client
    const fit = this.#alternates.filter(({ transports }) => transports.includes(transport))
    // 1. One of the client's own address family, or there is nowhere to go.
    const first = this.#pick(fit.filter(({ address }) => address.family === family))
    if (first === undefined) return undefined
    // 2. And one of the other family, which the one ALTERNATE-DOMAIN has to be right for as well.
    const second = this.#pick(
      fit.filter(({ address, domain }) => address.family !== family && domain === first.domain),
    )
    this.#turn++
    const attributes: Attribute[] = [['ALTERNATE-SERVER', first.address]]
    if (second !== undefined) attributes.push(['ALTERNATE-SERVER', second.address])
    // 3. The name, for clients that show by SHA-256 that they know what it is.
    const knowsDomains = transport === 'tls' && request.key?.algorithm === 'sha256'
    if (knowsDomains && first.domain !== undefined) attributes.push(['ALTERNATE-DOMAIN', first.domain])
    return reject(300, ...attributes)
  }

  #pick(servers: readonly AlternateServer[]): AlternateServer | undefined {
    return servers[this.#turn % servers.length]
  }
}

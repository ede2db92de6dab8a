/** Where a 300 (Try Alternate) may lead (RFC 8489 §10): not round in a circle, and not into the client's own host. */

import { isIPv4 } from '../../core/ip.ts'
import { type Instant, later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { Rejection } from '../../stun/client-failure.ts'
import { clientLimits, clientTimes, type TurnServerAddress } from './options.ts'

export class Redirects {
  #visited: { readonly server: TransportAddress; readonly until: Instant }[] = []
  #count = 0

  /** A request is made to the server now. */
  visit(server: TransportAddress, now: Instant): void {
    this.#visited = this.#visited.filter(({ until }) => until > now)
    this.#visited.push({ server, until: later(now, clientTimes.redirectMemoryMs) })
  }

  /** An allocation was made: the next redirection begins a new row. */
  settle(): void {
    this.#count = 0
  }

  /** The server to go to instead of `from`; a text that says why there is none. */
  follow(rejection: Rejection, from: TurnServerAddress, now: Instant): TurnServerAddress | string {
    const alternates = rejection.alternateServers
    const { family } = from.address
    const alternate = alternates.find((address) => address.family === family) ?? alternates[0]
    if (alternate === undefined) return 'the server sends the client elsewhere, and does not say where'
    if (++this.#count > clientLimits.redirects) return `more than ${clientLimits.redirects} redirections`
    if (!isReachable(alternate, from.address)) return `the server sends the client to ${alternate}`
    if (this.#visited.some(({ server, until }) => until > now && server.equals(alternate))) {
      return `the servers send the client round in a circle, back to ${alternate}`
    }
    return { address: alternate, name: rejection.alternateDomain ?? from.name }
  }
}

/** A server elsewhere must not send the client to the client's own loopback, or to what is no host's address. */
function isReachable(address: TransportAddress, from: TransportAddress): boolean {
  if (address.port === 0) return false
  return !isSpecial(address) || (isLoopback(address) && isLoopback(from))
}

/** Unspecified, loopback, multicast and broadcast. */
function isSpecial(address: TransportAddress): boolean {
  const { a, b, c, d } = address
  if (isIPv4(address)) return d >>> 24 === 0 || isLoopback(address) || d >>> 24 >= 224
  return (a | b | c | d) === 0 || isLoopback(address) || a >>> 24 === 0xff
}

function isLoopback(address: TransportAddress): boolean {
  const { a, b, c, d } = address
  return isIPv4(address) ? d >>> 24 === 127 : (a | b | c) === 0 && d === 1
}

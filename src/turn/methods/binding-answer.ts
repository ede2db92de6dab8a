/** The success response of RFC 5780 §6.1, whichever machine sends it. */

import type { TransportAddress } from '../../core/transport-address.ts'
import type { Attribute } from '../../stun/attributes.ts'
import { headerBytes } from '../../stun/message.ts'
import { type Outcome, succeed } from '../outcome.ts'

export interface DiscoveryAnswer {
  readonly client: TransportAddress
  /** Where the answer leaves from. */
  readonly origin: TransportAddress
  /** What has the other address and the other port than the one that was asked. */
  readonly other: TransportAddress
  /** The length of the request, if it had PADDING; 0 if it had none. */
  readonly paddedLength: number
}

export function discoveryAnswer({ client, origin, other, paddedLength }: DiscoveryAnswer): Outcome {
  const attributes: Attribute[] = [
    ['XOR-MAPPED-ADDRESS', client],
    ['MAPPED-ADDRESS', client],
    ['RESPONSE-ORIGIN', origin],
    ['OTHER-ADDRESS', other],
  ]
  if (paddedLength > 0) attributes.push(['PADDING', paddingFor(paddedLength, client, attributes.length)])
  return succeed(...attributes)
}

/**
 * As much padding as makes the answer as long as the question. Deviation: RFC 5780 §6.1 would have it as long as the
 * interface's MTU; clients are asked for that themselves (§5), and this way nobody gets more than he has sent.
 */
function paddingFor(length: number, client: TransportAddress, addresses: number): Uint8Array {
  const addressBytes = client.family === 'IPv4' ? 12 : 24
  const room = length - headerBytes - addresses * addressBytes - 4
  return new Uint8Array(Math.max(0, room & ~3))
}

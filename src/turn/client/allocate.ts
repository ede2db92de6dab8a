/** The Allocate request and its success response on the client's side (RFC 8656 §7.1, §7.3). */

import type { TransportAddress } from '../../core/transport-address.ts'
import type { Attribute } from '../../stun/attributes.ts'
import type { Message } from '../../stun/message.ts'
import type { TurnClientOptions } from './options.ts'
import type { ClientAllocation } from './outputs.ts'

/** IANA protocol number of UDP (RFC 8656 §18.8). */
const udp = 17

export const software: Attribute = ['SOFTWARE', 'turnpike']

export function allocateAttributes(options: TurnClientOptions, withMobility: boolean): Attribute[] {
  const attributes: Attribute[] = [['REQUESTED-TRANSPORT', udp]]
  const { family, lifetime, evenPort, reservationToken } = options
  // Interop: coturn 4.6, Debian's, knows it by the number of the draft. Servers pass over the one they do not know.
  if (family === 'both') {
    attributes.push(['ADDITIONAL-ADDRESS-FAMILY', 'IPv6'], ['SSODA-ADDITIONAL-ADDRESS-FAMILY', 'IPv6'])
  } else if (family !== undefined) attributes.push(['REQUESTED-ADDRESS-FAMILY', family])
  if (lifetime !== undefined) attributes.push(['LIFETIME', lifetime])
  if (evenPort !== undefined) attributes.push(['EVEN-PORT', evenPort])
  if (reservationToken !== undefined) attributes.push(['RESERVATION-TOKEN', reservationToken])
  if (withMobility) attributes.push(['MOBILITY-TICKET', new Uint8Array(0)])
  attributes.push(software)
  return attributes
}

/** What a success response has granted; a text that says what is wrong with it. */
export function readAllocation(response: Message, server: TransportAddress): ClientAllocation | string {
  const relayed = response.all('XOR-RELAYED-ADDRESS')
  const lifetime = response.get('LIFETIME')
  if (relayed.length === 0) return 'the Allocate response has no XOR-RELAYED-ADDRESS'
  if (relayed.some(({ port }) => port === 0)) return `the server relays at ${relayed.join(', ')}`
  if (lifetime === undefined || lifetime === 0) return 'the Allocate response has no LIFETIME'
  return {
    relayed: relayed.filter(
      (address, i) => relayed.findIndex(({ family }) => family === address.family) === i,
    ),
    mapped: response.get('XOR-MAPPED-ADDRESS'),
    server,
    lifetime,
    reservationToken: response.get('RESERVATION-TOKEN')?.slice(),
    missing: response.get('ADDRESS-ERROR-CODE') ?? response.get('SSODA-ADDRESS-ERROR-CODE'),
  }
}

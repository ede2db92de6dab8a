/** The flags of NAT behavior discovery (RFC 5780). */

import { type Command, InvalidArgumentError } from 'commander'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AdvertisedAddress, AlternateConfig } from '../server/alternate-config.ts'
import { integerBetween, parseRelayAddress, repeatable } from './parse-options.ts'

export interface AlternateFlags {
  readonly alternateAddress?: readonly TransportAddress[]
  readonly alternatePort?: number
  readonly advertise?: readonly AdvertisedAddress[]
}

export function addAlternateFlags(command: Command): void {
  command
    .option(
      '--alternate-address <ip>',
      'a second address of this host, to answer NAT behavior discovery from (RFC 5780), beside the first --listen udp:// address that is named; one for each family',
      repeatable(parseRelayAddress),
    )
    .option(
      '--alternate-port <port>',
      'the second port of behavior discovery (default: the one after the first)',
      integerBetween(1, 65_535, 'a port'),
    )
    .option(
      '--advertise <private=public>',
      'what an address of behavior discovery is outside of a 1:1 NAT; repeatable',
      repeatable(parseAdvertised),
    )
}

export function alternateConfigOf(flags: AlternateFlags): AlternateConfig {
  return {
    alternateAddresses: flags.alternateAddress ?? [],
    alternatePort: flags.alternatePort,
    advertised: flags.advertise ?? [],
  }
}

function parseAdvertised(text: string): AdvertisedAddress {
  const [inside, outside, ...rest] = text.split('=')
  if (inside === undefined || outside === undefined || rest.length > 0) {
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} is not PRIVATE=PUBLIC, such as 10.0.0.5=192.0.2.5`,
    )
  }
  const pair = { inside: parseRelayAddress(inside), outside: parseRelayAddress(outside) }
  if (pair.inside.family !== pair.outside.family) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} joins an IPv4 with an IPv6 address`)
  }
  return pair
}

/** The flags of NAT behavior discovery (RFC 5780). */

import { type Command, InvalidArgumentError } from 'commander'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AdvertisedAddress, AlternateConfig, PartnerName } from '../server/alternate-config.ts'
import { integerBetween, parseRelayAddress, repeatable } from './parse-options.ts'

export interface AlternateFlags {
  readonly alternateAddress?: readonly TransportAddress[]
  readonly alternatePort?: number
  readonly advertise?: readonly AdvertisedAddress[]
  readonly partner?: readonly PartnerName[]
  readonly partnerKey?: string
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
    .option(
      '--partner <host:port>',
      'another machine with turnpike that has the second address, and this one as its partner; one for each family',
      repeatable(parsePartner),
    )
    .option('--partner-key <file>', 'the key that both partners know each other by; read again on SIGHUP')
}

export function alternateConfigOf(flags: AlternateFlags): AlternateConfig {
  return {
    alternateAddresses: flags.alternateAddress ?? [],
    alternatePort: flags.alternatePort,
    advertised: flags.advertise ?? [],
    partners: flags.partner ?? [],
    partnerKeyFile: flags.partnerKey,
  }
}

/** `192.0.2.2:3478`, `[2001:db8::2]:3478` or `stun2.example.org:3478`. */
function parsePartner(text: string): PartnerName {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} is not a host with a port, such as 192.0.2.2:3478, [2001:db8::2]:3478 or stun2.example.org:3478`,
    )
  }
  return { host, port }
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

/** The partners of a configuration, found and checked: machines with one address each that are one server of RFC 5780 together (ADR 14). */

import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import { isSameIp } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { PartnerOptions } from '../turn/partner/options.ts'
import { PeerPolicy } from '../turn/peer-policy.ts'
import { firstListener, outsideOf, type PartnerName, secondPort } from './alternate-config.ts'
import { concreteAddresses, type ServeConfig } from './config.ts'
import type { Log } from './log.ts'
import { readPartnerKeys } from './partner-key.ts'

/** One for each address of a partner that has a listener of its family here. Rejects with `configuration-invalid`. */
export async function resolvePartners(
  config: ServeConfig,
  host: Host,
  log: Log,
): Promise<readonly PartnerOptions[]> {
  if (config.partners.length === 0 || config.partnerKeyFile === undefined) return []
  const keys = readPartnerKeys(config.partnerKeyFile, (message) => log.warn(message))
  const own = config.listen.flatMap(({ address }) => concreteAddresses(address, host.interfaces()))
  const pairs: PartnerOptions[] = []
  for (const name of config.partners) {
    const found = await addressesOf(name, host)
    const usable = found.filter(
      (address) => firstListener(config.listen, 'udp', address.family) !== undefined,
    )
    if (usable.length === 0) throw noListener(name, found)
    for (const remote of usable) {
      if (pairs.some((pair) => pair.remote[0].family === remote.family)) {
        throw invalid(`--partner ${text(name)}: there is one partner of each address family`)
      }
      pairs.push({ ...pairOf(name, remote, config, own), keys })
    }
  }
  return pairs
}

function pairOf(
  name: PartnerName,
  remote: TransportAddress,
  config: ServeConfig,
  own: readonly TransportAddress[],
): Omit<PartnerOptions, 'keys'> {
  const first = firstListener(config.listen, 'udp', remote.family)!
  const port = secondPort(config.alternatePort, first)
  const bound = [first, first.withPort(port)] as const
  const addresses = [outsideOf(bound[0], config), outsideOf(bound[1], config)] as const
  if ([...own, ...addresses].some((address) => isSameIp(address, remote))) {
    throw invalid(`--partner ${text(name)} is this machine itself: name the other one`)
  }
  if (config.alternateAddresses.some(({ family }) => family === remote.family)) {
    throw invalid(
      `--partner ${text(name)} and --alternate-address of ${remote.family}: the second address is either here or there`,
    )
  }
  if (remote.port !== first.port) {
    throw invalid(
      `--partner ${text(name)}: RFC 5780 has both machines at the same ports, and this one listens at ${first}`,
    )
  }
  if (isPublic(remote) && !isPublic(addresses[0])) {
    throw invalid(
      `--partner ${text(name)}: clients of it cannot reach ${first.ip}; --advertise ${first.ip}=PUBLIC says what it is outside`,
    )
  }
  return { bound, addresses, remote: [remote, remote.withPort(port)] }
}

/** At most one address of each family, the first. */
async function addressesOf(name: PartnerName, host: Host): Promise<readonly TransportAddress[]> {
  try {
    return [TransportAddress.of(name.host, name.port)]
  } catch {
    // A name, then.
  }
  const answers = await Promise.all((['A', 'AAAA'] as const).map((type) => resolve(host, name.host, type)))
  const addresses = answers.flatMap((answer) =>
    answer.type === 'addresses' ? answer.addresses.slice(0, 1) : [],
  )
  if (addresses.length > 0) return addresses.map((address) => address.withPort(name.port))
  const [first] = answers
  const reason = first?.type === 'failed' ? first.reason : 'no address'
  throw invalid(
    `--partner ${text(name)} cannot be resolved (${reason}): write its address, such as 192.0.2.2`,
  )
}

function resolve(host: Host, name: string, type: 'A' | 'AAAA') {
  return new Promise<Parameters<Parameters<Host['resolve']>[1]>[0]>((done) => {
    host.resolve({ name, type }, done)
  })
}

function noListener(name: PartnerName, found: readonly TransportAddress[]): TurnpikeError {
  const example = found[0]?.family === 'IPv6' ? '[2001:db8::1]' : '192.0.2.1'
  return invalid(
    `--partner ${text(name)} needs our own address by name, with its port: add --listen udp://${example}:${name.port}`,
  )
}

const everybody = new PeerPolicy({ allow: [], deny: [] })

function isPublic(address: TransportAddress): boolean {
  return everybody.allows(address)
}

function text({ host, port }: PartnerName): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function invalid(message: string): TurnpikeError {
  return new TurnpikeError('configuration-invalid', message)
}

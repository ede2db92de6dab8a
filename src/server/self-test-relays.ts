/** Whether there are addresses to relay from, and whether clients elsewhere reach them. */

import type { Host, InterfaceAddress } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { relayAddresses, type ServeConfig } from './config.ts'
import { type DeploymentFinding, finding, messageOf } from './deployment-finding.ts'
import { probeRelayAddress } from './relay-probe.ts'
import { isLoopback } from './wildcard.ts'

export async function relayFindings(config: ServeConfig, host: Host): Promise<DeploymentFinding[]> {
  const interfaces = host.interfaces()
  try {
    const relays = relayAddresses(config, interfaces)
    return await Promise.all(
      relays.map(async ({ address, external }) => {
        const tried = await probeRelayAddress(address, host).then(() => undefined, messageOf)
        if (tried !== undefined) {
          return finding(
            'relay',
            address.ip,
            false,
            tried,
            'Name an address of this machine with --relay-address.',
          )
        }
        return relayReach(address, external, interfaces)
      }),
    )
  } catch (error) {
    return [finding('relay', 'none', false, messageOf(error), 'See --relay-address and --external-address.')]
  }
}

function relayReach(
  address: TransportAddress,
  external: TransportAddress,
  interfaces: readonly InterfaceAddress[],
): DeploymentFinding {
  if (!external.equals(address)) {
    return finding('relay', address.ip, true, `is told to clients as ${external.ip}`, null)
  }
  if (isLoopback(address)) {
    const hasOther = interfaces.some(({ internal }) => !internal)
    const cure = hasOther ? 'For clients elsewhere name another --listen or --relay-address.' : null
    return finding('relay', address.ip, null, 'is loopback: only this machine reaches it', cure)
  }
  if (!isPrivate(address)) return finding('relay', address.ip, true, 'is public', null)
  const cure = `Behind a 1:1 NAT, as in a cloud, tell clients the public one: --external-address PUBLIC/${address.ip}`
  return finding('relay', address.ip, null, 'is private: clients elsewhere do not reach it', cure)
}

function isPrivate({ ip }: TransportAddress): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab])/i.test(
    ip,
  )
}

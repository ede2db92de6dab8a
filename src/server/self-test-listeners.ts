/** Whether each listening address can be opened; one in use is no fault if our own server answers there. */

import type { Host } from '../core/host.ts'
import type { ListenAddress, ServeConfig } from './config.ts'
import { type DeploymentFinding, finding } from './deployment-finding.ts'
import { isMissing, tryListener } from './listeners.ts'
import { whoAnswers } from './own-server.ts'

const served = 'a server of ours answers there'

export function isServed({ what }: DeploymentFinding): boolean {
  return what === served
}

export const listenCures: Readonly<Record<string, string>> = {
  EACCES:
    'Ports below 1024 take a right: setcap cap_net_bind_service=+ep on node, or AmbientCapabilities in systemd.',
  EADDRNOTAVAIL: 'This machine does not have that address: list those that it has with "ip addr".',
  EADDRINUSE: 'Another program has the port and does not answer as a STUN server: "ss -lnptu" names it.',
}

/** Whether it can be opened; if somebody has it, who that is. */
export async function listenFinding(
  { transport, address, isOptional }: ListenAddress,
  config: ServeConfig,
  host: Host,
): Promise<DeploymentFinding> {
  const where = `${transport}://${address}`
  const reason = await tryListener(transport, address, host)
  if (reason === undefined) return finding('listen', where, true, 'is free, and can be opened', null)
  // As `serve` has it: what this machine lacks is left out where nobody asked for it by name, what is in use is not.
  if (isOptional && isMissing(reason)) {
    return finding('listen', where, true, `is left out (${reason}): it is not asked for by name`, null)
  }
  if (reason === 'EADDRINUSE') {
    const answerer = await whoAnswers(host, transport, address, config)
    if (answerer.type === 'ours') return finding('listen', where, true, served, null)
    if (answerer.type === 'other') return otherFinding(where, answerer.software)
  }
  const cure = listenCures[reason] ?? 'Choose another --listen address.'
  return finding('listen', where, false, `cannot be opened (${reason})`, cure)
}

function otherFinding(where: string, software: string | undefined): DeploymentFinding {
  const name = software === undefined ? '' : ` (${software})`
  const cure =
    'Stop it ("ss -lnptu" names the program), or listen elsewhere; if it is a turnpike with other users or another --secret, give selftest the same.'
  return finding('listen', where, false, `another STUN server answers on this port${name}`, cure)
}

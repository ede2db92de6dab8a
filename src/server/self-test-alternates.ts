/** Whether the alternate addresses of behavior discovery are there: by asking the server that runs, else by opening them. */

import type { Host } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AlternateAddresses } from '../turn/behavior-discovery.ts'
import { alternatesOf } from './alternate-config.ts'
import { type SelfTestResult, testAlternates } from './alternate-self-test.ts'
import type { ServeConfig } from './config.ts'
import { type DeploymentFinding, finding } from './deployment-finding.ts'
import { tryListener } from './listeners.ts'
import { askBinding, whoAnswers } from './own-server.ts'
import { listenCures } from './self-test-listeners.ts'

const restart = 'Restart the server with these flags, and look at what it logs at its start.'

export async function alternateFindings(
  config: ServeConfig,
  host: Host,
  isRunning: boolean,
): Promise<DeploymentFinding[]> {
  return Promise.all(
    alternatesOf(config, config.listen).map(async (group) => {
      const { transport, bound, advertised } = group
      if (transport !== 'udp') return streamFinding(group, config, host, isRunning)
      const where = bound.join(', ')
      if (isRunning) return askAlternates(where, bound, advertised, host)
      const result = await new Promise<SelfTestResult>((resolve) => testAlternates(bound, host, resolve))
      return judgeAlternates(where, result)
    }),
  )
}

/** Connections answer from where they were made to: each address has to be ours, and that is all. */
async function streamFinding(
  { transport, bound }: AlternateAddresses,
  config: ServeConfig,
  host: Host,
  isRunning: boolean,
): Promise<DeploymentFinding> {
  const where = bound.map((address) => `${transport}://${address}`).join(', ')
  for (const address of bound) {
    const reason = await tryListener(transport, address, host)
    if (reason === undefined) {
      if (!isRunning) continue
      const what = `the running server does not listen at ${transport}://${address}`
      return finding('alternates', where, false, what, restart)
    }
    const isOurs =
      reason === 'EADDRINUSE' && (await whoAnswers(host, transport, address, config)).type === 'ours'
    if (isOurs) continue
    const cure = listenCures[reason] ?? 'Choose another --alternate-address or --alternate-port.'
    return finding('alternates', where, false, `${transport}://${address} cannot be opened (${reason})`, cure)
  }
  return finding(
    'alternates',
    where,
    true,
    isRunning ? 'the running server answers at each' : 'each can be opened',
    null,
  )
}

function judgeAlternates(where: string, result: SelfTestResult): DeploymentFinding {
  switch (result.type) {
    case 'passed':
      return finding('alternates', where, true, 'each reaches each', null)
    case 'refused': {
      const cure = listenCures[result.reason] ?? 'Choose another --alternate-address or --alternate-port.'
      return finding(
        'alternates',
        where,
        false,
        `${result.address} cannot be opened (${result.reason})`,
        cure,
      )
    }
    case 'lost': {
      const cure = `Let UDP through the firewall of this machine from ${result.from.ip} to port ${result.to.port}, and from outside to both ports.`
      return finding(
        'alternates',
        where,
        false,
        `what ${result.from} sends does not arrive at ${result.to}`,
        cure,
      )
    }
  }
}

async function askAlternates(
  where: string,
  bound: readonly TransportAddress[],
  advertised: readonly TransportAddress[],
  host: Host,
): Promise<DeploymentFinding> {
  const [first, , , last] = bound
  const plain = await askBinding(host, 'udp', first!, [])
  if (plain?.other === undefined) {
    return finding('alternates', where, false, 'the running server names no alternate address', restart)
  }
  if (!plain.other.equals(advertised[3]!)) {
    return finding(
      'alternates',
      where,
      false,
      `the running server names ${plain.other} instead of ${advertised[3]}`,
      restart,
    )
  }
  const changed = await askBinding(host, 'udp', first!, [
    ['CHANGE-REQUEST', { changeIp: true, changePort: true }],
  ])
  if (changed === undefined || !changed.source.equals(last!)) {
    const open = `Let UDP out from ${last} through the firewall of this machine.`
    return finding('alternates', where, false, `the running server does not answer from ${last}`, open)
  }
  return finding('alternates', where, true, 'the running server answers from each', null)
}

/**
 * A deployment looked at before clients do: what `serve` with this configuration needs of its machine, each thing with what
 * helps. A listening address in use is no fault if our own server answers there: then that one is asked.
 */

import { alternatesOf } from './alternate-config.ts'
import { checkConfig, type ServeConfig } from './config.ts'
import { type DeploymentFinding, finding, messageOf } from './deployment-finding.ts'
import { alternateFindings } from './self-test-alternates.ts'
import { isServed, listenFinding } from './self-test-listeners.ts'
import {
  certificateFindings,
  type DeploymentMachine,
  openFilesFinding,
  receiveBufferFinding,
} from './self-test-machine.ts'
import { partnerFindings } from './self-test-partners.ts'
import { relayFindings } from './self-test-relays.ts'

export type { DeploymentCheck, DeploymentFinding } from './deployment-finding.ts'
export type { DeploymentMachine } from './self-test-machine.ts'

export async function testDeployment(
  config: ServeConfig,
  machine: DeploymentMachine,
): Promise<DeploymentFinding[]> {
  const wrong = configurationFault(config)
  if (wrong !== undefined) return [wrong]
  const listening = await Promise.all(
    config.listen.map((listen) => listenFinding(listen, config, machine.host)),
  )
  const findings = [
    ...listening,
    receiveBufferFinding(machine),
    ...(await relayFindings(config, machine.host)),
    ...certificateFindings(config, machine.host),
    openFilesFinding(config, machine),
  ]
  const isRunning = listening.some(isServed)
  return [
    ...findings,
    ...(await alternateFindings(config, machine.host, isRunning)),
    ...(await partnerFindings(config, machine.host, isRunning)),
  ]
}

function configurationFault(config: ServeConfig): DeploymentFinding | undefined {
  try {
    checkConfig(config)
    alternatesOf(config, config.listen)
    return undefined
  } catch (error) {
    return finding('configuration', 'flags', false, messageOf(error), 'Start with flags that go together.')
  }
}

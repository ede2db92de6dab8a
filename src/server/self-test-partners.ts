/** Whether partners are there: their configuration as at a start, and, of a server that runs, what it tells clients. */

import type { Host } from '../core/host.ts'
import type { PartnerOptions } from '../turn/partner/options.ts'
import type { ServeConfig } from './config.ts'
import { type DeploymentFinding, finding, messageOf } from './deployment-finding.ts'
import type { Log } from './log.ts'
import { askBinding } from './own-server.ts'
import { resolvePartners } from './partner-addresses.ts'

const notHere =
  'Look at its log. The partner has to run with this machine as its --partner and the same --partner-key, and UDP has to pass between both.'

export async function partnerFindings(
  config: ServeConfig,
  host: Host,
  isRunning: boolean,
): Promise<DeploymentFinding[]> {
  const warnings: string[] = []
  const log: Log = { debug: () => {}, info: () => {}, warn: (text) => warnings.push(text), error: () => {} }
  try {
    const partners = await resolvePartners(config, host, log)
    const found = partners.map((partner) => partnerFinding(partner, host, isRunning))
    return [
      ...warnings.map((what) =>
        finding('partner', '--partner-key', null, what, 'Let only its owner read it.'),
      ),
      ...(await Promise.all(found)),
    ]
  } catch (error) {
    const where = config.partners.map((one) => `${one.host}:${one.port}`).join(', ')
    return [finding('partner', where, false, messageOf(error), 'See --partner and --partner-key.')]
  }
}

/** The link is the server's own: what it says of its other address is what tells whether it stands. */
async function partnerFinding(
  { bound, remote }: PartnerOptions,
  host: Host,
  isRunning: boolean,
): Promise<DeploymentFinding> {
  const where = `${remote[0]}`
  if (!isRunning) {
    const cure = 'Start the server, and run selftest again beside it.'
    return finding('partner', where, null, 'could not be asked: the server does not run', cure)
  }
  const answer = await askBinding(host, 'udp', bound[0], [])
  return answer?.other === undefined
    ? finding('partner', where, false, 'the running server has no link to it', notHere)
    : finding('partner', where, true, `is there: the running server names ${answer.other}`, null)
}

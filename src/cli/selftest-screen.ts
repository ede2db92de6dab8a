/** What was found of a deployment: the verdict, each check, and what to do. */

import type { DeploymentFinding } from '../server/self-test.ts'
import type { Block, Mark } from './screen/blocks.ts'

const names: Readonly<Record<DeploymentFinding['check'], string>> = {
  configuration: 'Flags',
  listen: 'Listen',
  'receive-buffer': 'Receive buffer',
  relay: 'Relay',
  certificate: 'Certificate',
  'open-files': 'Open files',
  alternates: 'Alternates',
  partner: 'Partner',
}

const purposes: Readonly<Record<DeploymentFinding['check'], string>> = {
  configuration: 'serve refuses flags that do not go together',
  listen: 'clients come in there',
  'receive-buffer': 'packets wait there while the server is busy, and are dropped when it is full',
  relay: 'clients are told of these addresses, and their peers send there',
  certificate: 'clients that come by TLS check its names and its time',
  'open-files': 'each allocation and each connection is one',
  alternates: 'NAT behavior discovery answers from each of them',
  partner: 'it answers from the second address of NAT behavior discovery',
}

export function selftestScreen(
  findings: readonly DeploymentFinding[],
  { verbose }: { readonly verbose: boolean } = { verbose: false },
): Block[] {
  const cures = findings.filter(({ cure }) => cure !== null)
  const blocks: Block[] = [
    { type: 'title', left: 'turnpike selftest' },
    { type: 'verdict', mark: overall(findings), sentences: [verdictOf(findings)] },
    {
      type: 'facts',
      facts: findings.map((one) => ({
        label: names[one.check],
        value: { mark: markOf(one), text: `${one.where}: ${one.what}` },
      })),
    },
  ]
  if (cures.length > 0) {
    blocks.push({
      type: 'problems',
      problems: cures.map((one) => ({ mark: markOf(one), text: `${one.where}: ${one.cure}` })),
    })
  }
  return verbose ? [...blocks, purposeTable(findings)] : blocks
}

function purposeTable(findings: readonly DeploymentFinding[]): Block {
  const checks = [...new Set(findings.map(({ check }) => check))]
  const rows = checks.map((check) => [names[check], purposes[check]])
  return { type: 'table', name: 'purpose', columns: ['Looked at', 'Because'], rows }
}

function markOf({ isOk }: DeploymentFinding): Mark {
  if (isOk === null) return 'unknown'
  return isOk ? 'ok' : 'failed'
}

function overall(findings: readonly DeploymentFinding[]): Mark {
  if (findings.some(({ isOk }) => isOk === false)) return 'failed'
  return findings.some(({ isOk, cure }) => isOk === null && cure !== null) ? 'unknown' : 'ok'
}

function verdictOf(findings: readonly DeploymentFinding[]): string {
  const failed = findings.filter(({ isOk }) => isOk === false).length
  const doubtful = findings.filter(({ isOk, cure }) => isOk === null && cure !== null).length
  if (failed > 0) return `This deployment has ${count(failed, 'fault')}.`
  return doubtful > 0
    ? `This deployment works; ${count(doubtful, 'thing')} may be better.`
    : 'This deployment has all that it needs.'
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

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
}

export function selftestScreen(findings: readonly DeploymentFinding[]): Block[] {
  const cures = findings.filter(({ cure }) => cure !== null)
  const blocks: Block[] = [
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
  return blocks
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

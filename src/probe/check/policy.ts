/**
 * Whether a server refuses the peers that it has to (RFC 8656 §21.2.2): it is asked for permissions, and nothing is sent
 * to anybody. For servers of one's own.
 */

import { isSameIp } from '../../core/ip.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import { formatTurnFailure, type PeerFailure } from '../../turn/client/failure.ts'
import type { ClientAllocation } from '../../turn/client/outputs.ts'
import type { Run } from '../run.ts'
import type { Attempt } from './plan.ts'
import { CheckedRelay, type RelayOptions } from './relay.ts'
import type { PolicyFinding } from './report.ts'

/** A port on which no service of ours is. */
const discardPort = 9

/** One address of each range that leads into the network of the server, or of its cloud, in each spelling. */
export const guardedPeers: readonly (readonly [range: string, peer: string])[] = [
  ['loopback', '127.0.0.1'],
  ['loopback', '::1'],
  ['loopback, mapped', '::ffff:127.0.0.1'],
  ['this host', '0.0.0.1'],
  ['private 10/8', '10.0.0.1'],
  ['private 172.16/12', '172.16.0.1'],
  ['private 192.168/16', '192.168.0.1'],
  ['private, by NAT64', '64:ff9b::c0a8:1'],
  ['carrier-grade NAT', '100.64.0.1'],
  ['link-local', '169.254.1.1'],
  ['link-local', 'fe80::1'],
  ['unique local', 'fc00::1'],
  ['cloud metadata', '169.254.169.254'],
  ['cloud metadata', 'fd00:ec2::254'],
  ['cloud metadata', '100.100.100.200'],
  ['cloud host agent', '168.63.129.16'],
  ['multicast', '224.0.0.1'],
  ['multicast', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
]

export async function checkPolicy(
  run: Run,
  attempt: Attempt,
  options: RelayOptions,
): Promise<PolicyFinding[]> {
  const findings: PolicyFinding[] = []
  for (const family of ['IPv4', 'IPv6'] as const) {
    const peers = guardedPeers.filter(([, peer]) => (peer.includes(':') ? 'IPv6' : 'IPv4') === family)
    const relay = new CheckedRelay(run, attempt, options, family === 'IPv6' ? 'IPv6' : undefined)
    const allocation = await relay.allocated()
    const reason =
      allocation === 'late'
        ? 'no allocation in time'
        : 'type' in allocation
          ? `no ${family} relay (${formatTurnFailure(allocation)})`
          : undefined
    for (const [range, peer] of peers) {
      findings.push(
        reason === undefined
          ? await ask(relay, allocation as ClientAllocation, range, peer)
          : { range, peer, refused: null, detail: reason },
      )
    }
    await relay.release()
  }
  return findings
}

async function ask(
  relay: CheckedRelay,
  { relayed }: ClientAllocation,
  range: string,
  text: string,
): Promise<PolicyFinding> {
  const peer = TransportAddress.of(text, discardPort)
  // Clients of one server meet at its relayed addresses: there it is the port that has to be refused.
  const isOwn = relayed.some((own) => isSameIp(own, peer))
  const answer = isOwn ? await relay.bindChannel(peer) : await relay.permit(peer)
  return { range, peer: text, ...judge(answer) }
}

function judge(answer: PeerFailure | 'late' | undefined): Pick<PolicyFinding, 'refused' | 'detail'> {
  if (answer === undefined) return { refused: false, detail: 'permission granted' }
  if (answer === 'late') return { refused: null, detail: 'no answer in time' }
  const detail = formatTurnFailure(answer)
  return { refused: answer.type === 'rejected' ? true : null, detail }
}

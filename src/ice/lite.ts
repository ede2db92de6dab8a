/** Two lite agents: nobody sends checks, and what has been signalled decides (RFC 8445 §8.2). */

import type { Instant } from '../core/time.ts'
import type { LocalCandidate, RemoteCandidate } from './candidate.ts'
import type { Component } from './component.ts'
import type { Generation } from './generation.ts'
import { comparePriority, pairPriority } from './pair-priority.ts'
import { canPair } from './pairing.ts'
import type { Selection } from './selection.ts'
import type { Session } from './session.ts'

/**
 * Selects a pair for each component once the peer's candidates are there. Where there are several, RFC 8445 §8.2 sends to
 * RFC 6724 and then to another exchange; the priorities of both sides give the same answer to both.
 */
export function concludeLiteOnly(
  session: Session,
  generation: Generation,
  selection: Selection,
  now: Instant,
): void {
  const mayTrickle = generation.remote?.options?.includes('trickle') === true
  if (mayTrickle && !generation.hasAllRemotes) return
  for (const component of generation.components) {
    if (component.selected !== undefined) continue
    const best = bestPair(session, generation, component)
    const pair = best && generation.insertPair(best.local, best.remote, best.local.socket)
    if (pair === undefined) continue
    pair.state = 'succeeded'
    pair.mapped = pair.local
    pair.isAuthenticated = true
    selection.nominated(pair, 0, now)
  }
}

function bestPair(
  session: Session,
  generation: Generation,
  component: Component,
): { local: LocalCandidate; remote: RemoteCandidate } | undefined {
  const isControlling = session.role === 'controlling'
  const ranked = generation.locals
    .filter((local) => local.stream === component.stream && local.component === component.id)
    .flatMap((local) => generation.remotes.map((remote) => ({ local, remote })))
    .filter(({ local, remote }) => local.protocol === 'udp' && canPair(local, remote))
    .map((pair) => ({
      ...pair,
      priority: isControlling
        ? pairPriority(pair.local.priority, pair.remote.priority)
        : pairPriority(pair.remote.priority, pair.local.priority),
    }))
    .sort((x, y) => comparePriority(y.priority, x.priority))
  return ranked[0]
}

/** Who is measured: each starts afresh for every sample. */

import {
  type PinnedServer,
  startBare,
  startCoturn,
  startRival,
  startTurnpikeServer,
} from '../support/servers.ts'
import { serverCore } from './measure.ts'
import type { Load } from './scenarios.ts'

export interface Contender {
  readonly name: string
  readonly color: string
  /** What is different of its load. */
  readonly load?: Partial<Load>
  readonly start: () => Promise<PinnedServer>
}

export const mmsg = 'turnpike, mmsg'
export const dgram = 'turnpike, dgram'
export const coturn = 'coturn'
export const rival = 'npm turn-server'

export const contenders: readonly Contender[] = [
  { name: mmsg, color: '#2563eb', start: () => startTurnpike('mmsg', 1) },
  { name: coturn, color: '#b91c1c', start: () => startCoturn(serverCore) },
  { name: dgram, color: '#0891b2', start: () => startTurnpike('dgram', 1) },
  { name: rival, color: '#a16207', start: () => startRival(serverCore) },
]

/** The floor of every server on node:dgram, for scale: what is left of a packet when it has nothing of TURN. */
export const bare: Contender = {
  name: 'node:dgram alone',
  color: '#64748b',
  load: { isBare: true },
  start: () => startBare(serverCore),
}

export function startTurnpike(
  io: 'mmsg' | 'dgram',
  workers: number,
  nodeFlags: readonly string[] = [],
): Promise<PinnedServer> {
  return startTurnpikeServer(serverCore, ['--io', io, '--workers', `${workers}`], nodeFlags)
}

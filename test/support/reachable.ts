/**
 * How soon two peers can have checked a path, whatever their agents do, but for pacing: a model of what each side can know
 * and of what the NATs let through, in half round trips. Both begin with the address that a STUN server has seen the other at,
 * send at once to each address that they learn, and learn from what arrives. Shares no code with the agent or src/sim.
 */

import type { Kind } from './ice-cell.ts'

/** An address is 'x' or 'y', and behind a mapping that depends on the destination, what it was made for. */
type Address = string

interface Side {
  readonly name: 'x' | 'y'
  /** Open, or a firewall in front of a public address, counts as a mapping that is the same for everybody. */
  readonly mapping: 'E' | 'A' | 'P'
  readonly filtering: 'E' | 'A' | 'P'
  /** Addresses of the peer, each sent to in the step after it was learnt. */
  readonly knows: Map<Address, number>
  /** Destinations that the NAT has seen, by the address that they were sent to from. */
  readonly opened: Map<Address, Set<Address>>
  /** The first step with a valid pair. */
  validAt: number
}

export interface Bounds {
  /** In round trips: until the controlling side has a valid pair, until both have one, and until both have it nominated. */
  readonly first: number
  readonly both: number
  readonly nominated: number
  /** How many checks of the longest way there are answers to a check: each may find the slot of Ta just taken. */
  readonly triggered: number
}

/** The bounds of a direct path; undefined where there is none. `x` is controlling. */
export function boundsOf(x: Kind, y: Kind): Bounds | undefined {
  const sides = [sideOf('x', x), sideOf('y', y)] as const
  for (const [i, side] of sides.entries()) side.knows.set(seenByStun(sides[1 - i]!), 0)
  for (let step = 0; step < 16; step++) {
    const arriving = sides.map((side, i) => exchange(side, sides[1 - i]!, step))
    for (const arrive of arriving) arrive()
  }
  const [controlling, controlled] = sides.map(({ validAt }) => validAt / 2) as [number, number]
  if (!Number.isFinite(controlling)) return undefined
  return {
    first: Math.min(controlling, controlled),
    both: Math.max(controlling, controlled),
    // The nomination is there half a round trip after the pair is valid, and its answer a whole one.
    nominated: Math.max(controlling + 1, controlled),
    triggered: 2 * (Math.max(controlling, controlled) - 1),
  }
}

function sideOf(name: 'x' | 'y', kind: Kind): Side {
  const [mapping, filtering] = kind === 'OPEN' ? 'EE' : kind === 'FW' ? 'EP' : kind
  return {
    name,
    mapping: mapping as Side['mapping'],
    filtering: filtering as Side['filtering'],
    knows: new Map(),
    opened: new Map(),
    validAt: Number.POSITIVE_INFINITY,
  }
}

/** Sends what is due; what comes of it half a round trip later is done by the function that is returned. */
function exchange(from: Side, to: Side, step: number): () => void {
  const due = [...from.knows].filter(([, since]) => since === step).map(([address]) => address)
  for (const destination of due) openTowards(from, destination)
  return () => {
    for (const destination of due) {
      const source = mappedFor(from, destination)
      if (!admits(to, destination, source)) continue
      if (!to.knows.has(source)) to.knows.set(source, step + 1)
      openTowards(to, source)
      // The answer has to come from where the check went (RFC 8445 §7.2.5.2.1), and through the NAT.
      const isSymmetric = mappedFor(to, source) === destination && admits(from, source, destination)
      if (isSymmetric) from.validAt = Math.min(from.validAt, step + 2)
    }
  }
}

/** All of one side's addresses have the same IP address: only `P` tells its ports apart. */
function mappedFor({ name, mapping }: Side, destination: Address): Address {
  if (mapping === 'E') return name
  return mapping === 'A' ? `${name} for ${ipOf(destination)}` : `${name} for (${destination})`
}

function seenByStun({ name, mapping }: Side): Address {
  return mapping === 'E' ? name : `${name} for server`
}

function ipOf(address: Address): string {
  return address.split(' ')[0]!
}

function openTowards(side: Side, destination: Address): void {
  const source = mappedFor(side, destination)
  const opened = side.opened.get(source) ?? new Set()
  side.opened.set(source, opened.add(destination))
}

function admits(side: Side, at: Address, from: Address): boolean {
  const opened = side.opened.get(at)
  // Of its own accord each side has sent to the server, and nowhere else.
  if (opened === undefined && at !== seenByStun(side)) return false
  if (side.filtering === 'E') return true
  if (opened === undefined) return false
  return side.filtering === 'P' ? opened.has(from) : [...opened].some((peer) => ipOf(peer) === ipOf(from))
}

/** What has to hold in every session, whatever is between the two sides. Each broken rule is one line. */

import type { Cell } from './ice-cell.ts'
import type { IceSide } from './ice-world.ts'

/** Two sides, whatever they have been through. */
export type Session = Pick<Cell, 'world' | 'a' | 'b' | 'sides'>

const pacingMs = 5
/** More than that in one second of a session at rest is a loop. Consent, keepalives and a NAT's packets are a few. */
const mostEventsPerSecond = 100

export function brokenInvariants(cell: Cell): string[] {
  return [
    ...mirrored(cell),
    ...paced(cell),
    ...cell.sides.flatMap((side) => [...nominatedOnce(side), ...notFailedTooEarly(side, cell.start)]),
  ]
}

/** Both sides have selected the same path, seen from its two ends. */
function mirrored({ a, b }: Cell): string[] {
  const [x, y] = [a.selected, b.selected]
  if (x === undefined && y === undefined) return []
  if (x === undefined || y === undefined) return ['only one side has selected a pair']
  const ends = (pair: typeof x, local: 'local' | 'remote') => `${pair[local].address}`
  if (ends(x, 'local') === ends(y, 'remote') && ends(x, 'remote') === ends(y, 'local')) return []
  return [
    `a has selected ${ends(x, 'local')} - ${ends(x, 'remote')}, b ${ends(y, 'local')} - ${ends(y, 'remote')}`,
  ]
}

/** Ta between two new checks of one side (RFC 8445 §14.2). Consent, which begins after four seconds, is no check. */
function paced({ checks, sides, start }: Cell): string[] {
  return sides.flatMap(({ host }) => {
    const own = checks.filter(({ from, isNew, at }) => from === host.name && isNew && at < start + 4000)
    return own
      .slice(1)
      .flatMap(({ at }, i) =>
        at - own[i]!.at < pacingMs - 0.001
          ? [`${host.name} began two checks at ${own[i]!.at} and ${at}`]
          : [],
      )
  })
}

function nominatedOnce(side: IceSide): string[] {
  const nominated = side.transport.pairs().filter(({ isNominated }) => isNominated)
  const expected = side.selected === undefined ? 0 : 1
  return nominated.length === expected ? [] : [`${side.host.name} has ${nominated.length} nominated pairs`]
}

/** RFC 8863: not before 39.5 s. */
function notFailedTooEarly(side: IceSide, start: number): string[] {
  const failed = side.all('state').find(({ event }) => event.state === 'failed')
  return failed === undefined || failed.at - start >= 39_500
    ? []
    : [`${side.host.name} failed at ${failed.at}`]
}

/** Data goes both ways, and from nowhere else. */
export function dataFaults({ world, a, b, sides }: Session): string[] {
  const isSent = sides.map((side) => side.send(`from ${side.host.name}`))
  world.internet.run({ for: 1000 })
  const got = (side: IceSide, from: IceSide) =>
    side.received.some(({ text }) => text === `from ${from.host.name}`)
  return [
    ...(isSent.every(Boolean) ? [] : ['nothing could be sent']),
    ...(got(a, b) ? [] : ['a has not got what b sent']),
    ...(got(b, a) ? [] : ['b has not got what a sent']),
  ]
}

/** Nobody is busy while nothing happens. */
export function busyLoops({ world }: Cell): string[] {
  const { internet } = world
  const before = internet.events
  internet.run({ for: 10_000 })
  const perSecond = (internet.events - before) / 10
  return perSecond <= mostEventsPerSecond ? [] : [`${perSecond} events a second`]
}

/** Nothing is left: no allocation, no timer, no packet. */
export function leftovers({ world, sides }: Session): string[] {
  for (const side of sides) side.transport.close()
  const isClosed = () => sides.every((side) => side.told.at(-1)?.event.type === 'closed')
  world.internet.run({ for: 5000, until: isClosed })
  const allocations = world.allocations
  world.server?.close()
  const isAtRest = world.internet.run({ for: 10_000 })
  return [
    ...(allocations === 0 ? [] : [`${allocations} allocations are left`]),
    ...(isAtRest ? [] : ['something still happens ten seconds after the end']),
  ]
}

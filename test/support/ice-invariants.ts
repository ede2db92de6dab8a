/**
 * What has to hold in every session, whatever is between the two sides: the matrix and the random sessions run the same
 * list. Some look at what has happened, the others do something to the session, the last one ends it. Each broken rule is
 * one line.
 */

import type { PairSummary } from '../../src/ice/outputs.ts'
import { consentFaults, spokenOnAfterSilence } from './ice-consent-rules.ts'
import { changedByForgeries } from './ice-forgeries.ts'
import { isConnected, type Pair, type Session } from './ice-session.ts'
import type { IceSide } from './ice-world.ts'

type Check = (session: Session) => readonly string[] | Promise<readonly string[]>

/** By name, in their order. */
export const invariants = {
  'both sides have selected the same path': mirrored,
  'one pair of a component is nominated': nominatedOnce,
  'new checks are Ta apart (RFC 8445 §14.2)': paced,
  'nothing fails before patience is over (RFC 8863), nor without a reason for each pair': patient,
  'the same seed gives the same packets': repeated,
  'what is sent is received, once and as it was': received,
  'consent is asked for every 4 to 6 s (RFC 7675 §5.1)': consentFaults,
  'what strangers send, and what is forged, changes nothing': changedByForgeries,
  'nobody is busy while nothing happens': busyLoops,
  'nobody sends for more than 30 s to a peer that has vanished (RFC 7675 §5.1)': spokenOnAfterSilence,
  'closing leaves no allocation, no socket and nothing to happen': leftovers,
} as const satisfies Readonly<Record<string, Check>>

export type Invariant = keyof typeof invariants

export const allInvariants = Object.keys(invariants) as readonly Invariant[]

/** Those that only look at what has been so far. */
export const standing = allInvariants.slice(0, 4)

/** The rules that do not hold, with what is wrong. All of them together end the session. */
export async function brokenInvariants(
  session: Session,
  names: readonly Invariant[] = allInvariants,
): Promise<string[]> {
  const faults: string[] = []
  for (const name of names) {
    const check: Check = invariants[name]
    faults.push(...(await check(session)).map((fault) => `${name}: ${fault}`))
  }
  return faults
}

const pacingMs = 5
/** More than that in one second of a session at rest is a loop. Consent, keepalives and a NAT's packets are a few. */
const mostEventsPerSecond = 100
const patienceMs = 39_500
/** A session that cannot connect says so by then. */
const failsByMs = 45_000

/** Seen from its two ends. */
function mirrored({ sides }: Pair): string[] {
  const [x, y] = sides.map(({ selected }) => selected)
  if (x === undefined && y === undefined) return []
  if (x === undefined || y === undefined) return ['only one side has selected a pair']
  if (isSameIn(x, 'local', y, 'remote') && isSameIn(x, 'remote', y, 'local')) return []
  return [
    `a has selected ${x.local.address} - ${x.remote.address}, b ${y.local.address} - ${y.remote.address}`,
  ]
}

function isSameIn(
  x: PairSummary,
  of: 'local' | 'remote',
  y: PairSummary,
  other: 'local' | 'remote',
): boolean {
  return `${x[of].address}` === `${y[other].address}`
}

function nominatedOnce({ sides }: Pair): string[] {
  return sides.flatMap((side) => {
    const nominated = side.transport.pairs().filter(({ isNominated }) => isNominated)
    const expected = new Set(side.all('selected-pair').map(({ event }) => componentOf(event))).size
    if (nominated.length === expected && new Set(nominated.map(componentOf)).size === expected) return []
    return [`${side.host.name} has ${nominated.length} nominated pairs and ${expected} components with one`]
  })
}

function componentOf({ stream, component }: { stream: number; component: number }): string {
  return `${stream}.${component}`
}

/** Between new checks of one side, whatever they are for. Consent, which begins after four seconds, is no check. */
function paced({ wire, sides, start }: Session): string[] {
  return sides.flatMap(({ host }) => {
    const own = wire.checks.filter(({ from, isNew, at }) => from === host.name && isNew && at < start + 4000)
    return own
      .slice(1)
      .flatMap(({ at }, i) =>
        at - own[i]!.at < pacingMs - 0.001
          ? [`${host.name} began two checks at ${own[i]!.at} and ${at}`]
          : [],
      )
  })
}

/** A session without a path is given its time to fail. */
function patient(session: Session): string[] {
  const { world, sides, start } = session
  const { internet } = world
  const mayConnect = sides.some(({ firstPathAt }) => firstPathAt !== undefined)
  const isOver = () => sides.every(({ state }) => state === 'failed')
  if (!mayConnect) internet.run({ for: start + failsByMs - internet.now, until: isOver })
  return sides.flatMap((side) => {
    const { name } = side.host
    const failed = side.all('state').find(({ event }) => event.state === 'failed')
    if (failed === undefined) return mayConnect ? [] : [`${name} is ${side.state} after ${failsByMs} ms`]
    return [
      ...(failed.at - start < patienceMs ? [`${name} failed after ${failed.at - start} ms`] : []),
      ...unreasoned(side),
    ]
  })
}

/** Each failure comes with the table of pairs, and why each one failed. */
export function unreasoned(side: IceSide): string[] {
  const { name } = side.host
  const tables = side.all('restart-needed').map(({ event }) => event)
  const isTold = tables.length > 0 && tables.every(({ reason }) => reason !== '')
  return [
    ...(isTold ? [] : [`${name} failed without a word`]),
    ...tables
      .flatMap(({ pairs }) => pairs)
      .filter(({ state, failure }) => state !== 'failed' || failure === undefined)
      .map(
        ({ local, remote, state }) =>
          `${name} does not say why ${local.address} - ${remote.address} is ${state}`,
      ),
  ]
}

async function repeated(session: Session): Promise<string[]> {
  const { transcriptHash } = await session.again()
  return transcriptHash === session.transcriptHash
    ? []
    : [`${session.transcriptHash} and then ${transcriptHash}`]
}

const messages = 40

/** Both ways at once, of many lengths. */
function received(session: Session): string[] {
  if (!isConnected(session)) return []
  const { world, sides, isLossy } = session
  const { internet } = world
  const before = sides.map((side) => side.received.length)
  const sent: [string[], string[]] = [[], []]
  for (let i = 0; i < messages; i++) {
    for (const [s, side] of sides.entries()) {
      const text = `${side.host.name} ${i} ${'.'.repeat((i * 31) % 1100)}`
      if (side.send(text)) sent[s]!.push(text)
    }
    internet.run({ for: 10 })
  }
  internet.run({ for: 1000 })
  return sides.flatMap((side, s) => {
    const { name } = side.host
    const theirs = sent[1 - s]!
    const texts = side.received.slice(before[s]!).map(({ text }) => text)
    const others = texts.filter((text) => !theirs.includes(text))
    const missing = theirs.filter((text) => !texts.includes(text))
    return [
      ...(sent[s]!.length === messages ? [] : [`${name} could send ${sent[s]!.length} of ${messages}`]),
      ...(others.length === 0 ? [] : [`${name} has got ${others.length} that were not sent`]),
      ...(new Set(texts).size === texts.length ? [] : [`${name} has got something twice`]),
      ...(texts.length > 0 && (isLossy || missing.length === 0)
        ? []
        : [`${name} has not got ${missing.length} of ${theirs.length}`]),
    ]
  })
}

/** Data goes both ways. */
export function dataFaults(pair: Pair): string[] {
  const { world, sides } = pair
  const isSent = sides.map((side) => side.send(`from ${side.host.name}`))
  world.internet.run({ for: 1000 })
  return sides.flatMap((side, s) => {
    const text = `from ${sides[1 - s]!.host.name}`
    return [
      ...(isSent[s] ? [] : [`${side.host.name} could not send`]),
      ...(side.received.some((one) => one.text === text) ? [] : [`${side.host.name} has not got "${text}"`]),
    ]
  })
}

export function busyLoops({ world }: Pair): string[] {
  const { internet } = world
  const before = internet.events
  internet.run({ for: 10_000 })
  const perSecond = (internet.events - before) / 10
  return perSecond <= mostEventsPerSecond ? [] : [`${perSecond} events a second`]
}

/** Nothing is left: no allocation, no socket, no timer, no packet. */
export function leftovers({ world, sides }: Pair): string[] {
  for (const side of sides) side.transport.close()
  const isClosed = () => sides.every((side) => side.told.at(-1)?.event.type === 'closed')
  // A connection ends a round trip after it is closed.
  const areGone = () => sides.every(({ host }) => host.openSockets === 0)
  world.internet.run({ for: 5000, until: () => isClosed() && areGone() })
  const { allocations } = world
  const sockets = sides.flatMap(({ host }) => {
    return host.openSockets === 0 ? [] : [`${host.name} has ${host.openSockets} sockets left`]
  })
  world.server?.close()
  const isAtRest = world.internet.run({ for: 10_000 })
  return [
    ...(isClosed() ? [] : ['somebody does not close']),
    ...(allocations === 0 ? [] : [`${allocations} allocations are left`]),
    ...sockets,
    ...(isAtRest ? [] : ['something still happens ten seconds after the end']),
  ]
}

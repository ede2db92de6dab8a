/** RFC 7675 as the packets show it: how often consent is asked for, and that without it nothing is sent. */

import type { SeenCheck } from './ice-record.ts'
import { isConnected, type Session } from './ice-session.ts'
import type { IceSide } from './ice-world.ts'

const restMs = 30_000
const consentMs = { least: 4000, most: 6000, expiry: 30_000 } as const
const darkMs = 40_000
const sendEveryMs = 250
/** What was on its way when the line went dead may still arrive. */
const underWayMs = 250

/** On the path in use: there has to be one that is asked all the time. Others are asked when they may be needed. */
export function consentFaults(session: Session): string[] {
  if (!isConnected(session)) return []
  const { world, sides, wire, isLossy } = session
  const { internet } = world
  const since = internet.now
  const told = sides.map((side) => side.told.length)
  internet.run({ for: restMs })
  return sides.flatMap((side, s) => {
    const hasMoved = side.told.slice(told[s]!).some(({ event }) => event.type === 'path')
    if (hasMoved || usesTcp(side)) return []
    const faults = wire.pathsOf(side.host.name, since).map((path) => periodFaults(path, isLossy))
    if (faults.some((some) => some.length === 0)) return []
    return (faults[0] ?? ['has asked nothing']).map((fault) => `${side.host.name} ${fault}`)
  })
}

/** With loss it has other checks too, such as those that the peer's probes trigger (RFC 8445 §7.3.1.4). */
function periodFaults(checks: readonly SeenCheck[], isLossy: boolean): string[] {
  const gaps = checks.slice(1).map(({ at }, i) => at - checks[i]!.at)
  const broken = gaps.filter((gap) => gap > consentMs.most || (gap < consentMs.least && !isLossy))
  return [
    ...(gaps.length >= 4 ? [] : [`has asked ${checks.length} times in ${restMs} ms`]),
    ...broken.map((gap) => `has let ${gap} ms pass`),
  ]
}

/** The record is of UDP. */
function usesTcp({ selected }: IceSide): boolean {
  if (selected === undefined) return true
  const { protocol, relayProtocol = 'udp' } = selected.local
  return protocol !== 'udp' || relayProtocol !== 'udp'
}

/** The lines of one side go dead, and come back when both have given up. */
export function spokenOnAfterSilence(session: Session): string[] {
  if (!isConnected(session)) return []
  const { world, sides, wire } = session
  const { internet } = world
  const since = internet.now
  const dark = sides[1].host.interface()
  dark.changeLink({ loss: 1 })
  const lastSent = sides.map(() => since)
  const isSending = sides.map(() => false)
  for (let passed = 0; passed < darkMs; passed += sendEveryMs) {
    for (const [s, side] of sides.entries()) {
      if (!side.send('is anybody there?')) continue
      isSending[s] = true
      lastSent[s] = internet.now
    }
    internet.run({ for: sendEveryMs })
  }
  dark.changeLink({ loss: 0 })
  const limit = since + consentMs.expiry + underWayMs
  return sides.flatMap((side, s) => {
    const { name } = side.host
    const onWire = wire.data.findLast(({ from }) => from === name)?.at ?? since
    const last = Math.max(lastSent[s]!, onWire)
    return [
      ...(isSending[s] ? [] : [`${name} could not send at all`]),
      ...(last <= limit ? [] : [`${name} sent ${last - since} ms after the line went dead`]),
      ...(side.state === 'failed' ? [] : [`${name} is ${side.state} after ${darkMs} ms`]),
    ]
  })
}

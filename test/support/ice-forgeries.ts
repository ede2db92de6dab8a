/** Packets that are not the peer's, at a session at rest: from elsewhere, damaged, sent again, or signed wrongly. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { Packet } from '../../src/sim/packet.ts'
import { SeededRandom } from '../../src/sim/seeded-random.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage, type OutgoingMessage } from '../../src/stun/encode.ts'
import { isConnected, type Session } from './ice-session.ts'
import type { IceSide } from './ice-world.ts'

const stranger = TransportAddress.of('20.0.9.9', 666)
const strangerIPv6 = TransportAddress.of('2600::9:9', 666)
const secret = 'not for you'
const waitMs = 300
/** The session has been at rest for so long: checks were for consent. */
const quietMs = 25_000

export function changedByForgeries(session: Session): string[] {
  if (!isConnected(session)) return []
  const { world, sides, wire } = session
  const { internet } = world
  const before = sides.map(({ told, received, state }) => ({
    told: told.length,
    received: received.length,
    state,
  }))
  for (const [s, side] of sides.entries()) {
    const other = sides[1 - s]!
    const from = side.selected!.remote.address
    const to = other.selected!.remote.address
    if (!(from instanceof TransportAddress) || !(to instanceof TransportAddress)) continue
    const elsewhere = to.family === 'IPv6' ? strangerIPv6 : stranger
    const check = hasOneStream(side)
      ? wire.pathsOf(other.host.name, internet.now - quietMs)[0]?.at(-1)?.bytes
      : undefined
    const packets = [
      new Packet('udp', elsewhere, to, new TextEncoder().encode(secret)),
      ...forgeries(internet.now).map((bytes) => new Packet('udp', from, to, bytes)),
      ...(check === undefined
        ? []
        : [check, damaged(check)].map((bytes) => new Packet('udp', from, to, bytes))),
    ]
    for (const packet of packets) internet.spoof(packet)
  }
  internet.run({ for: waitMs })
  return sides.flatMap((side, s) => {
    const { told, received, state } = before[s]!
    const texts = side.received.slice(received).map(({ text }) => text)
    return [
      ...(texts.length === 0 ? [] : [`${side.host.name} has got "${texts.join('", "')}"`]),
      ...(session.isLossy ? [] : events(side, told)),
      ...(session.isLossy || side.state === state ? [] : [`${side.host.name} is ${side.state}`]),
    ]
  })
}

/** With several the packets do not show which path a check belongs to: elsewhere it would be news, and not a copy. */
function hasOneStream({ transport }: IceSide): boolean {
  return transport.pairs().every(({ stream }) => stream === 0)
}

/** What the side has told since, apart from what comes by itself: a better path, and checks that nobody has answered. */
function events({ told, host }: IceSide, since: number): string[] {
  return told.slice(since).flatMap(({ event }) => {
    const { type } = event
    if (type === 'path' || type === 'selected-pair') return []
    if (type !== 'pair-failed') return [`${host.name} tells of ${type}`]
    const { failure } = event.pair
    return failure === 'timeout' || failure === 'pruned'
      ? []
      : [`${host.name} has a pair that failed: ${failure}`]
  })
}

/** From an attacker who knows both addresses, and no password. */
function forgeries(seed: number): Uint8Array[] {
  const random = new SeededRandom(Math.floor(seed))
  const signature = {
    integrity: [{ algorithm: 'sha1' as const, key: shortTermKey('not the password') }],
    fingerprint: true,
  }
  const message = (kind: Pick<OutgoingMessage, 'class' | 'attributes'>) =>
    encodeMessage({ method: 'Binding', transactionId: random.bytes(12), ...kind }, signature)
  const noise = random.bytes(60)
  noise[0] = 0
  noise.set([0x21, 0x12, 0xa4, 0x42], 4)
  return [
    noise,
    message({ class: 'success', attributes: [['XOR-MAPPED-ADDRESS', stranger]] }),
    message({ class: 'error', attributes: [['ERROR-CODE', { code: 487, reason: 'Role Conflict' }]] }),
    message({
      class: 'request',
      attributes: [
        ['USERNAME', 'some:body'],
        ['PRIORITY', 1],
        ['ICE-CONTROLLING', 2n ** 64n - 1n],
        ['USE-CANDIDATE', true],
      ],
    }),
  ]
}

function damaged(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  copy[copy.length - 20]! ^= 1
  return copy
}

/** What others send, what is sent twice and what is damaged changes nothing: a session with all that is one without it. */

import { describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Packet } from '../../src/sim/packet.ts'
import { SeededRandom } from '../../src/sim/seeded-random.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { Cell, hostBehind } from '../support/ice-cell.ts'
import type { IceSide } from '../support/ice-world.ts'

/** All that the two sides tell, with its times. */
function story(cell: Cell): string[] {
  return cell.sides.flatMap((side) =>
    side.told.map(({ at, event }) => {
      const detail = 'pair' in event ? `${event.pair.local.address} ${event.pair.remote.address}` : ''
      const state = 'state' in event ? event.state : ''
      return `${side.host.name} ${at - cell.start} ${event.type} ${state} ${detail}`
    }),
  )
}

type Noise = (packet: Packet, cell: { spoof(packet: Packet): void; random: SeededRandom }) => void

async function run(noise: Noise = () => {}): Promise<Cell> {
  const random = new SeededRandom(7)
  return Cell.run({
    a: (internet) => hostBehind(internet, 'OPEN'),
    b: (internet) => {
      // Each packet of the session draws one of the other kind after it, which arrives a little later.
      internet.intercept((packet) => {
        noise(packet, {
          random,
          spoof: (forged) => internet.at(internet.now + 15, () => internet.spoof(forged)),
        })
        return true
      })
      return hostBehind(internet, 'OPEN')
    },
    forMs: 20_000,
  })
}

/** As `packet`, with other bytes. */
function forged(packet: Packet, bytes: Uint8Array, source = packet.source): Packet {
  return new Packet('udp', source, packet.destination, bytes)
}

const stranger = TransportAddress.of('20.0.9.9', 666)

const noises: Readonly<Record<string, Noise>> = {
  'every packet a second time': (packet, { spoof }) => spoof(forged(packet, packet.bytes)),
  'every packet from a stranger too': (packet, { spoof }) => spoof(forged(packet, packet.bytes, stranger)),
  'random bytes that look like STUN, from the peer': (packet, { spoof, random }) => {
    const bytes = random.bytes(60)
    bytes[0] = 0
    bytes.set([0x21, 0x12, 0xa4, 0x42], 4)
    spoof(forged(packet, bytes))
  },
  'every packet with one bit flipped': (packet, { spoof, random }) => {
    const bytes = packet.bytes.slice()
    // Not of what makes it STUN: what is none is data, which has an authentication of its own.
    bytes[8 + random.below(bytes.length - 8)]! ^= 1 << random.below(8)
    spoof(forged(packet, bytes))
  },
  'answers with the right transaction and the wrong password': (packet, { spoof }) => {
    const message = decodeMessage(packet.bytes)
    // STUN servers answer without a password; who sees the question can forge that.
    if (typeof message === 'string' || message.class !== 'request' || !message.has('USERNAME')) return
    const integrity = [{ algorithm: 'sha1' as const, key: shortTermKey('not the password') }]
    const transactionId = message.transactionId.slice()
    for (const attributes of [
      [['XOR-MAPPED-ADDRESS', stranger]],
      [['ERROR-CODE', { code: 487, reason: 'Role Conflict' }]],
    ] as const) {
      const bytes = encodeMessage(
        {
          class: attributes[0][0] === 'ERROR-CODE' ? 'error' : 'success',
          method: 'Binding',
          transactionId,
          attributes: attributes as never,
        },
        { integrity, fingerprint: true },
      )
      // To the one who has asked, as if from the one who was asked.
      spoof(new Packet('udp', packet.destination, packet.source, bytes))
    }
  },
  'data before and beside the session, from a stranger': (packet, { spoof }) => {
    spoof(forged(packet, new TextEncoder().encode('not for you'), stranger))
  },
}

describe('a session with', () => {
  test.each(Object.keys(noises))('%s', async (name) => {
    const [clean, noisy] = [await run(), await run(noises[name])]
    expect(story(noisy)).toEqual(story(clean))
    const received = (side: IceSide) => side.received.map(({ text }) => text)
    expect(noisy.sides.map(received)).toEqual([[], []])
    expect(noisy.sides.map(({ state }) => state)).toEqual(['completed', 'completed'])
  })
})

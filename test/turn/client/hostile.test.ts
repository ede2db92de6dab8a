/** What a server, or somebody in its place, may send: nothing of it is thrown, and nothing unsigned changes anything. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../../src/stun/attributes.ts'
import { attributes } from '../../../src/stun/attributes.ts'
import { encodeMessage } from '../../../src/stun/encode.ts'
import { decodeMessage } from '../../../src/stun/message.ts'
import { type MessageClass, methods } from '../../../src/stun/methods.ts'
import { always } from '../../support/property.ts'
import { listening, peerA, peerB } from '../../support/turn-harness.ts'
import { VirtualTurn } from '../../support/virtual-turn.ts'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })

/** A message with attributes that the client would like to see; `codes` are what errors may say. */
const plausible = (codes: readonly number[]) =>
  fc
    .record({
      method: fc.constantFrom(...Object.values(methods)),
      class: fc.constantFrom<MessageClass>('success', 'error', 'indication'),
      attributes: fc.array(
        fc.constantFrom<Attribute>(
          ...codes.map((code): Attribute => ['ERROR-CODE', { code, reason: '' }]),
          ['LIFETIME', 0],
          ['LIFETIME', 1],
          ['REALM', 'elsewhere'],
          ['NONCE', 'n'],
          ['XOR-RELAYED-ADDRESS', peerB],
          ['XOR-PEER-ADDRESS', peerB],
          ['DATA', Uint8Array.of(1)],
          ['ALTERNATE-SERVER', peerB],
          ['MOBILITY-TICKET', Uint8Array.of(1)],
          ['MESSAGE-INTEGRITY', new Uint8Array(20)],
          ['MESSAGE-INTEGRITY-SHA256', new Uint8Array(32)],
        ),
        { maxLength: 5 },
      ),
    })
    .map((fields) => (transactionId: Uint8Array) => encodeMessage({ ...fields, transactionId }))

/** A well-framed message with attributes of known and unknown types, well-formed or not. */
const message = fc
  .record({
    method: fc.constantFrom(...Object.values(methods), 0x123),
    class: fc.constantFrom<MessageClass>('request', 'indication', 'success', 'error'),
    attributes: fc.array(
      fc.record({
        type: fc.oneof(
          fc.constantFrom(...Object.values(attributes).map(({ type }) => type)),
          fc.nat({ max: 0xffff }),
        ),
        value: bytes(40),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ method, class: messageClass, attributes: list }) => (transactionId: Uint8Array) => {
    const header = encodeMessage({ class: messageClass, method, transactionId, attributes: [] })
    const body = list.flatMap(({ type, value }) => [
      ...[type >> 8, type & 255, value.length >> 8, value.length & 255],
      ...value,
      ...new Uint8Array(-value.length & 3),
    ])
    const whole = Uint8Array.from([...header, ...body])
    whole[2] = body.length >> 8
    whole[3] = body.length & 255
    return whole
  })

const challenges = [401, 438]
const refusals = [300, 400, 403, 405, 420, 437, 440, 441, 442, 443, 486, 487, 500, 508]

const anyFrame = fc.oneof(
  message,
  bytes(100).map((array) => () => array),
  fc
    .record({
      channel: fc.integer({ min: 0x4000, max: 0x4fff }),
      length: fc.nat({ max: 0xffff }),
      data: bytes(20),
    })
    .map(
      ({ channel, length, data }) =>
        () =>
          Uint8Array.from([channel >> 8, channel & 255, length >> 8, length & 255, ...data]),
    ),
)

/** The transaction ID of the request that waits for an answer; any other where none does. */
function pendingId(virtual: VirtualTurn): Uint8Array {
  const sent = virtual.sent.map(({ bytes: frame }) => decodeMessage(frame))
  const last = sent.findLast((each) => typeof each !== 'string' && each.class === 'request')
  return last === undefined || typeof last === 'string' ? new Uint8Array(12) : last.transactionId.slice()
}

describe('whatever comes from the server', () => {
  it('is survived while allocating, with and without the right transaction ID', () => {
    always(
      fc.property(
        fc.array(fc.oneof(anyFrame, plausible([...challenges, ...refusals])), { maxLength: 8 }),
        fc.boolean(),
        (frames, guesses) => {
          const virtual = new VirtualTurn()
          virtual.loses = () => true
          virtual.client.allocate(virtual.now)
          virtual.drain()
          virtual.elapse(1)
          for (const frame of frames) {
            virtual.handIn(frame(guesses ? new Uint8Array(12).fill(9) : pendingId(virtual)), listening)
            virtual.elapse(1)
          }
          virtual.elapse(200_000)
          virtual.client.close(virtual.now)
          virtual.drain()
          virtual.elapse(5000)
          expect(['failed', 'closed']).toContain(virtual.events.at(-1)?.type)
          expect(virtual.client.pollTimeout()).toBeUndefined()
        },
      ),
      300,
    )
  })

  it('changes nothing of an allocation unless it is signed', () => {
    always(
      // A challenge is never signed: it can have the request made again, and no more.
      fc.property(fc.array(fc.oneof(anyFrame, plausible([438, ...refusals])), { maxLength: 8 }), (frames) => {
        const virtual = new VirtualTurn()
        virtual.allocate()
        virtual.client.bindChannel(peerA, virtual.now)
        virtual.drain()
        virtual.elapse(100)
        const { allocation } = virtual.client
        // A Refresh waits for its answer, with the credentials shown.
        virtual.loses = () => true
        virtual.elapse(299_500)
        const events = virtual.events.length
        for (const frame of frames) virtual.handIn(frame(pendingId(virtual)), listening)
        expect(virtual.client.allocation).toBe(allocation)
        expect(virtual.events.slice(events).filter(({ type }) => type !== 'peer-unreachable')).toEqual([])
        virtual.loses = () => false
        virtual.elapse(20_000)
        expect(virtual.client.allocation).toBe(allocation)
        expect(virtual.send(peerA, 'as before')).toBe(true)
      }),
      300,
    )
  })
})

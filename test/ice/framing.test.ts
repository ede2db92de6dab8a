/** Frames of RFC 4571. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, FrameReader } from '../../src/ice/framing.ts'

describe('frames', () => {
  it('are two bytes of length and the packet', () => {
    expect(encodeFrame(Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(0, 3, 1, 2, 3))
    expect(encodeFrame(new Uint8Array(0xffff))).toHaveLength(0x10001)
    expect(encodeFrame(new Uint8Array(0x10000))).toBeUndefined()
  })

  it('come out as they went in, however the stream is cut', () => {
    const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(packets, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (sent, cuts) => {
        const stream = Uint8Array.from(sent.flatMap((packet) => [...encodeFrame(packet)!]))
        const reader = new FrameReader()
        const received: Uint8Array[] = []
        for (let at = 0; at < stream.length; ) {
          const end = at + cuts.next().value
          received.push(...reader.push(stream.slice(at, end)))
          at = end
        }
        expect(received).toEqual(sent)
      }),
    )
  })

  it('that are empty are left out', () => {
    expect(new FrameReader().push(Uint8Array.of(0, 0, 0, 1, 9, 0, 0))).toEqual([Uint8Array.of(9)])
  })
})

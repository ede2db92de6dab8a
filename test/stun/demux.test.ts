import { expect, it } from 'vitest'
import { isStreamChannelByte, packetKind } from '../../src/stun/demux.ts'

/** RFC 7983 §7, with the ChannelData that RFC 8656 §12 allows. */
const ranges: [number, number, ReturnType<typeof packetKind>][] = [
  [0, 3, 'stun'],
  [4, 15, 'unknown'],
  [16, 19, 'zrtp'],
  [20, 63, 'dtls'],
  [64, 79, 'channel-data'],
  [80, 127, 'unknown'],
  [128, 191, 'rtp'],
  [192, 255, 'unknown'],
]

it.each(ranges)('a first byte of %i to %i is %s', (first, last, kind) => {
  for (let byte = first; byte <= last; byte++) expect(packetKind(byte)).toBe(kind)
})

it('the ranges are all 256 bytes', () => {
  expect(ranges.map(([first]) => first)).toEqual([0, ...ranges.map(([, last]) => last + 1).slice(0, -1)])
  expect(ranges.at(-1)?.[1]).toBe(255)
})

it('a datagram without a byte is unknown', () => {
  expect(packetKind(undefined)).toBe('unknown')
})

it('on a stream, where nothing else is multiplexed, channels may go to 0x7f', () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  expect(bytes.filter((byte) => isStreamChannelByte(byte, false))).toEqual(bytes.slice(0x40, 0x50))
  expect(bytes.filter((byte) => isStreamChannelByte(byte, true))).toEqual(bytes.slice(0x40, 0x80))
})

/** `Call`, with what goes between both sides in the test's hands. */

import { afterEach, describe, expect, it } from 'vitest'
import { Call } from '../../src/peer/call.ts'
import { type MediaSource, openMedia } from '../../src/peer/media-source.ts'
import type { SignalData } from '../../src/signaling/protocol.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function testCard(): Promise<MediaSource> {
  const media = await openMedia('test', ['video', 'audio'])
  closing.push(() => media.close())
  return media
}

/** A caller and a callee; what they send arrives in lots, as messages do that come out of one read of a socket. */
function pair(callerMedia: MediaSource | undefined, calleeMedia: MediaSource) {
  const waiting: { to: 'a' | 'b'; data: SignalData }[] = []
  const setting = (isCaller: boolean) => ({
    isCaller,
    isLower: false,
    configuration: () => ({}),
    send: (data: SignalData) => waiting.push({ to: isCaller ? 'b' : 'a', data }),
    leave: () => {},
  })
  const sides = {
    a: new Call({ id: 'b', name: '' }, { media: callerMedia }, setting(true)),
    b: new Call({ id: 'a', name: '' }, { media: calleeMedia }, setting(false)),
  }
  const connections = { a: sides.a.connection, b: sides.b.connection }
  const timer = setInterval(() => {
    for (const { to, data } of waiting.splice(0)) sides[to].receive(data).catch(() => {})
  }, 100)
  closing.push(
    () => clearInterval(timer),
    () => sides.a.close(),
    () => sides.b.close(),
  )
  return { ...sides, connections }
}

describe('a call whose callee sends media', () => {
  it.each([
    ['both send', true],
    ['the caller sends nothing', false],
  ])(
    'is one session for all its offers: %s',
    async (_, hasMedia) => {
      const { a, b, connections } = pair(hasMedia ? await testCard() : undefined, await testCard())
      const heard = new Promise<void>((resolve) => {
        a.handlers = { track: (track) => track.onReceiveRtp.once(() => resolve()) }
      })
      await Promise.all([a.connected(), b.connected(), heard])
      expect(a.connection).toBe(connections.a)
      expect(b.connection).toBe(connections.b)
    },
    120_000,
  )
})

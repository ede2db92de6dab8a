/** A headless peer and node-datachannel (libdatachannel, usrsctp, libjuice) in one room: each calls the other. */

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NodeHost } from '../../src/net/node-host.ts'
import { HeadlessPeer } from '../../src/peer/headless-peer.ts'
import { openMedia } from '../../src/peer/media-source.ts'
import { type SignalingServer, serveSignaling } from '../../src/signaling/server.ts'

type Event = Readonly<Record<string, unknown>>

describe('a headless peer and node-datachannel', { timeout: 120_000 }, () => {
  const http = createServer()
  let signaling: SignalingServer
  let url: string
  let other: { readonly events: Event[]; stop(): Promise<void> }

  beforeEach(async () => {
    signaling = serveSignaling(http, new NodeHost(), { path: '/signaling' })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/signaling`
  })

  afterEach(async () => {
    await other.stop()
    signaling.close()
    await new Promise((resolve) => http.close(resolve))
  })

  const heard = (wanted: Event) => () =>
    other.events.some((event) => Object.entries(wanted).every(([name, value]) => event[name] === value))

  it('is called by it: chat and picture come, and go back', async () => {
    const texts: string[] = []
    let packets = 0
    await using _echo = await HeadlessPeer.join({
      url,
      room: 'r',
      onCall: (incoming) =>
        incoming.accept(
          { echo: true },
          {
            message: (text) => texts.push(text),
            track: (track) => track.onReceiveRtp.subscribe(() => packets++),
          },
        ),
    })
    other = startOther(url, 'call')
    await expect.poll(() => texts, { timeout: 60_000 }).toEqual(['hello from libdatachannel'])
    await expect
      .poll(heard({ event: 'message', text: 'hello from libdatachannel' }), { timeout: 60_000 })
      .toBe(true)
    await expect.poll(() => packets, { timeout: 60_000 }).toBeGreaterThan(20)
    await expect.poll(heard({ event: 'rtp', packets: 20 }), { timeout: 60_000 }).toBe(true)
  })

  it('calls it: chat goes and comes back, the test card arrives', async () => {
    const texts: string[] = []
    other = startOther(url, 'answer')
    await expect.poll(heard({ event: 'joined' }), { timeout: 60_000 }).toBe(true)
    await using ann = await HeadlessPeer.join({ url, room: 'r' })
    const media = await openMedia('test', ['video'])
    const call = await ann.call(ann.peers[0]!.id, { media }, { message: (text) => texts.push(text) })
    await call.connected()
    call.say('hello')
    await expect.poll(() => texts, { timeout: 60_000 }).toEqual(['back: hello'])
    await expect.poll(heard({ event: 'rtp', packets: 30 }), { timeout: 60_000 }).toBe(true)
    expect(await call.path()).toMatchObject({ isRelayed: false })
    media.close()
  })
})

function startOther(url: string, role: 'call' | 'answer') {
  const child = spawn(process.execPath, ['test/support/node-datachannel-peer.ts', url, role], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const events: Event[] = []
  let rest = ''
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    events.push(...lines.map((line) => JSON.parse(line) as Event))
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  return {
    events,
    stop: () => {
      child.stdin.end()
      return ended
    },
  }
}

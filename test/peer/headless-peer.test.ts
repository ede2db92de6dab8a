/** Headless peers that meet in a room of a real signaling server, with a TURN server beside it. */

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeadlessPeer, type HeadlessPeerOptions } from '../../src/peer/headless-peer.ts'
import { openMedia } from '../../src/peer/media-source.ts'
import { type Child, startCli } from '../support/programs.ts'

describe('headless peers', { timeout: 120_000 }, () => {
  let server: Child
  let url: string
  let folder: string

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'turnpike-peer-'))
    server = startCli([
      ...['serve', '--dev', '--signaling', 'http://127.0.0.1:0'],
      ...['--listen', 'udp://127.0.0.1:0', '--listen', 'tcp://127.0.0.1:0'],
    ])
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    url = `ws://127.0.0.1:${JSON.parse(line).signaling.port}/signaling`
  })

  afterEach(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  const enter = (name: string, more: Partial<HeadlessPeerOptions> = {}) =>
    HeadlessPeer.join({ url, room: 'r', name, ...more })

  it('call, accept, chat and hang up', async () => {
    const heard: string[] = []
    const answered = Promise.withResolvers<void>()
    await using bob = await enter('Bob', {
      onCall: (incoming) => {
        const call = incoming.accept(
          {},
          { message: (text) => heard.push(text), ended: (why) => heard.push(why) },
        )
        call.say('hello Ann')
        answered.resolve()
      },
    })
    await using ann = await enter('Ann')
    const call = await ann.call(bob.id, {}, { message: (text) => heard.push(text) })
    await call.connected()
    call.say('hello Bob')
    await answered.promise
    await expect
      .poll(() => heard, { timeout: 60_000 })
      .toEqual(expect.arrayContaining(['hello Bob', 'hello Ann']))
    const path = await call.path()
    expect(path).toMatchObject({ isRelayed: false, localType: 'host' })
    await call.close('goodbye')
    await expect.poll(() => heard, { timeout: 60_000 }).toContain('goodbye')
    expect(ann.calls).toEqual([])
    await expect.poll(() => bob.calls.length, { timeout: 60_000 }).toBe(0)
  })

  it('decline with a reason, or because they take no calls', async () => {
    await using busy = await enter('Busy', { onCall: (incoming) => incoming.decline('in a meeting') })
    await using deaf = await enter('Deaf')
    await using ann = await enter('Ann')
    await expect(ann.call(busy.id)).rejects.toThrow('Busy declined: in a meeting')
    await expect(ann.call(deaf.id)).rejects.toThrow('Deaf declined: takes no calls')
    await expect(ann.call('nobody')).rejects.toThrow('no peer "nobody" is in the room')
  })

  it('say so when their own side cannot begin, and end the call at the other', async () => {
    const ended = Promise.withResolvers<string>()
    await using bob = await enter('Bob', {
      onCall: (incoming) => incoming.accept({}, { ended: ended.resolve }),
    })
    await using ann = await enter('Ann')
    const broken = {
      get tracks(): never {
        throw new Error('oops')
      },
      close: () => {},
    }
    await expect(ann.call(bob.id, { media: broken })).rejects.toThrow('the call cannot begin')
    expect(await ended.promise).toBe('the peer hung up')
    expect(ann.calls).toEqual([])
  })

  it('send the test card, echo it and record what comes back', async () => {
    await using echo = await enter('Echo', { onCall: (incoming) => incoming.accept({ echo: true }) })
    await using ann = await enter('Ann')
    const media = await openMedia('test', ['video', 'audio'])
    const recordTo = join(folder, 'call.webm')
    const packets = { video: 0, audio: 0 }
    const call = await ann.call(
      echo.id,
      { media, recordTo },
      {
        track: (track) => {
          track.onReceiveRtp.subscribe(() => {
            packets[track.kind as 'video' | 'audio']++
          })
        },
      },
    )
    await call.connected()
    await expect.poll(() => Math.min(packets.video, packets.audio), { timeout: 60_000 }).toBeGreaterThan(100)
    await call.close()
    media.close()
    expect(existsSync(recordTo)).toBe(true)
    expect(statSync(recordTo).size).toBeGreaterThan(10_000)
    const recorded = await openMedia(recordTo, ['video', 'audio'])
    expect(recorded.tracks.map(({ kind }) => kind).sort()).toEqual(['audio', 'video'])
    recorded.close()
  })

  it('send an MP4 file of H.264 and Opus, which is recorded as it is', async () => {
    const recordTo = join(folder, 'film.webm')
    const packets = { video: 0, audio: 0 }
    await using bob = await enter('Bob', {
      onCall: (incoming) =>
        incoming.accept(
          { recordTo },
          {
            track: (track) => {
              track.onReceiveRtp.subscribe(() => {
                packets[track.kind as 'video' | 'audio']++
              })
            },
          },
        ),
    })
    await using ann = await enter('Ann')
    // Made by ffmpeg with -profile:v high: other than what descriptions of H.264 say, which decoders take all the same.
    const media = await openMedia('test/support/media/h264-opus.mp4', ['video', 'audio'], { loop: true })
    const call = await ann.call(bob.id, { media })
    await call.connected()
    expect(call.connection.localDescription!.sdp).toContain('H264/90000')
    await expect.poll(() => Math.min(packets.video, packets.audio), { timeout: 60_000 }).toBeGreaterThan(40)
    media.close()
    await ann.close()
    await expect.poll(() => bob.calls.length, { timeout: 60_000 }).toBe(0)
    await bob.close()
    await expect
      .poll(() => existsSync(recordTo) && readFileSync(recordTo).includes('V_MPEG4/ISO/AVC'), {
        timeout: 60_000,
      })
      .toBe(true)
  })

  it('go through TURN when they are told to, and give the allocation back', async () => {
    await using bob = await enter('Bob', {
      relayOnly: true,
      onCall: (incoming) => incoming.accept({ echo: true }),
    })
    await using ann = await enter('Ann', { relayOnly: true })
    const heard = Promise.withResolvers<string>()
    const call = await ann.call(bob.id, {}, { message: heard.resolve })
    await call.connected()
    call.say('over the relay')
    expect(await heard.promise).toBe('over the relay')
    await expect
      .poll(() => call.path(), { timeout: 60_000 })
      .toMatchObject({ isRelayed: true, localType: 'relay' })
    await Promise.all([ann.close(), bob.close()])
    const { stderr } = await server.stop()
    const count = (text: string) => stderr.split(text).length - 1
    expect(count('allocation started')).toBeGreaterThan(1)
    expect(count('reason=shutdown')).toBe(0)
  })

  it('name the file that they cannot send', async () => {
    await expect(openMedia('no such file', ['video'])).rejects.toThrow(
      '"no such file" cannot be sent: cannot be read (ENOENT)',
    )
    await expect(openMedia('package.json', ['video'])).rejects.toThrow('"package.json" cannot be sent')
    const mono = join(folder, 'mono.webm')
    const bytes = readFileSync('assets/test-card.webm')
    bytes[bytes.indexOf('OpusHead') + 9] = 1
    writeFileSync(mono, bytes)
    await expect(openMedia(mono, ['audio'])).rejects.toThrow('its Opus is mono, and only stereo can be sent')
    const picture = await openMedia(mono, ['video'])
    picture.close()
  })
})

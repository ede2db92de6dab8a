/** The page and a headless peer: each calls the other, accepts and declines, restarts ICE, vanishes. */

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Call } from '../../src/peer/call.ts'
import { HeadlessPeer, type HeadlessPeerOptions, type IncomingCall } from '../../src/peer/headless-peer.ts'
import { type MediaSource, openMedia } from '../../src/peer/media-source.ts'
import { buildPage, joinRoom, launchBrowser, say, seesMoving } from '../support/browser.ts'
import { type Child, missingPrograms, startCli } from '../support/programs.ts'

const missing = missingPrograms('the page in Chromium', ['chromium'], 'apt-get install chromium')
const patience = { timeout: 60_000 }

describe.skipIf(missing.length > 0)('the page and a headless peer', { timeout: 240_000 }, () => {
  let browser: Browser
  let server: Child
  let port: number
  let media: MediaSource
  let rooms = 0
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    browser = await launchBrowser()
    server = startCli(
      ['serve', '--dev', '--signaling', 'http://127.0.0.1:0', '--listen', 'udp://127.0.0.1:0'],
      { timeoutSeconds: 600 },
    )
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    port = JSON.parse(line).signaling.port
    media = await openMedia('test', ['video', 'audio'])
  }, 240_000)

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close()
    expect(faults.splice(0)).toEqual([])
  })

  afterAll(async () => {
    media?.close()
    await browser?.close()
    await server?.stop()
  })

  /** Ann at her page and the robot, who both know that the other one is there. */
  async function meet(options: Partial<HeadlessPeerOptions> = {}): Promise<[Page, HeadlessPeer]> {
    const room = `room ${++rooms}`
    const ann = await joinRoom(browser, `http://127.0.0.1:${port}/`, 'Ann', faults, room)
    const robot = await HeadlessPeer.join({
      url: `ws://127.0.0.1:${port}/signaling`,
      room,
      name: 'Robot',
      ...options,
    })
    await ann.waitForSelector('button[aria-label="Call Robot"]:enabled')
    return [ann, robot]
  }

  it('is called by the page, sends the test card and talks', async () => {
    const heard: string[] = []
    const calls: Call[] = []
    const [ann, robot] = await meet({
      onCall: (incoming) => {
        calls.push(incoming.accept({ media }, { message: (text) => heard.push(text) }))
      },
    })
    await ann.click('button[aria-label="Call Robot"]')
    await ann.waitForSelector('#call-state[data-state=connected]')
    await seesMoving(ann)
    await say(ann, 'hello Robot')
    await expect.poll(() => heard, patience).toEqual(['hello Robot'])
    calls[0]!.say('hello Ann')
    await ann.waitForSelector('#messages >> text=hello Ann')
    await ann.waitForSelector('#path >> text=Direct')
    await calls[0]!.close()
    await ann.waitForSelector('#status >> text=Robot hung up')
    await robot.close()
  })

  it('calls the page, which is asked, and accepts', async () => {
    const heard: string[] = []
    let packets = 0
    const [ann, robot] = await meet()
    const calling = robot.call(
      robot.peers[0]!.id,
      { media },
      {
        message: (text) => heard.push(text),
        track: (track) => track.onReceiveRtp.subscribe(() => packets++),
      },
    )
    await ann.waitForSelector('text=Robot is calling')
    await ann.click('#accept')
    const call = await calling
    await call.connected()
    await seesMoving(ann)
    await expect.poll(() => packets, patience).toBeGreaterThan(50)
    call.say('hello Ann')
    await ann.waitForSelector('#messages >> text=hello Ann')
    await say(ann, 'hello Robot')
    await expect.poll(() => heard, patience).toEqual(['hello Robot'])
    await robot.close()
  })

  it('declines, and is declined', async () => {
    const asked: IncomingCall[] = []
    const [ann, robot] = await meet({ onCall: (incoming) => asked.push(incoming) })
    await ann.click('button[aria-label="Call Robot"]')
    await expect.poll(() => asked.length, patience).toBe(1)
    asked[0]!.decline('no time')
    await ann.waitForSelector('#status >> text=Robot declined')
    await ann.waitForSelector('#lobby:not([hidden])')
    const calling = robot.call(robot.peers[0]!.id)
    const refused = expect(calling).rejects.toThrow('Ann declined')
    await ann.waitForSelector('text=Robot is calling')
    await ann.click('#decline')
    await refused
    await robot.close()
  })

  it('restarts ICE, from either side, while picture and chat go on', async () => {
    const calls: Call[] = []
    const heard: string[] = []
    const [ann, robot] = await meet({
      onCall: (incoming) => {
        calls.push(incoming.accept({ media }, { message: (text) => heard.push(text) }))
      },
    })
    await ann.evaluate(rememberConnections)
    await ann.click('button[aria-label="Call Robot"]')
    await ann.waitForSelector('#call-state[data-state=connected]')
    await seesMoving(ann)
    const [call] = calls
    const remoteUfrag = () => /ice-ufrag:(\S+)/.exec(call!.connection.remoteDescription?.sdp ?? '')?.[1]
    const localUfrag = () => /ice-ufrag:(\S+)/.exec(call!.connection.localDescription?.sdp ?? '')?.[1]
    for (const restart of [
      () => ann.evaluate('connections.at(-1).restartIce()'),
      () => Promise.resolve(call!.restartIce()),
    ]) {
      const before = [remoteUfrag(), localUfrag()]
      await restart()
      await expect.poll(() => remoteUfrag() !== before[0] && localUfrag() !== before[1], patience).toBe(true)
      await expect.poll(() => call!.connection.signalingState, patience).toBe('stable')
      await seesMoving(ann)
    }
    await say(ann, 'still there?')
    await expect.poll(() => heard, patience).toEqual(['still there?'])
    await robot.close()
  })

  it.each([0, 10, 100])('goes on when the page restarts ICE %i ms after its first offer', async (afterMs) => {
    const calls: Call[] = []
    const ended: string[] = []
    const [ann, robot] = await meet({
      onCall: (incoming) => {
        calls.push(incoming.accept({ media }, { ended: (reason) => ended.push(reason) }))
      },
    })
    await ann.evaluate(rememberConnections)
    await ann.evaluate(`(() => {
      const timer = setInterval(() => {
        const connection = connections.at(-1)
        if (!connection?.localDescription) return
        clearInterval(timer)
        setTimeout(() => connection.restartIce(), ${afterMs})
      }, 1)
    })()`)
    await ann.click('button[aria-label="Call Robot"]')
    const offers = () =>
      Number(/^o=\S+ \S+ (\d+)/m.exec(calls[0]?.connection.remoteDescription?.sdp ?? '')?.[1])
    const firstVersion = 2
    await expect.poll(offers, patience).toBeGreaterThan(firstVersion)
    await expect.poll(() => calls[0]!.connection.connectionState, patience).toBe('connected')
    await ann.waitForSelector('#call-state[data-state=connected]')
    await seesMoving(ann)
    expect(ended).toEqual([])
    await robot.close()
  })

  it('is shown as gone when it vanishes without a word', async () => {
    const room = `room ${++rooms}`
    const ann = await joinRoom(browser, `http://127.0.0.1:${port}/`, 'Ann', faults, room)
    const robot = startCli(
      [
        ...['peer', '--signal', `ws://127.0.0.1:${port}/signaling`, '--room', room, '--name', 'Robot'],
        ...['--video', 'test'],
      ],
      { timeoutSeconds: 240 },
    )
    try {
      await robot.waitFor(/joined room/)
      await ann.click('button[aria-label="Call Robot"]')
      await robot.waitFor(/connected: /)
      await ann.waitForSelector('#call-state[data-state=connected]')
      // Its sockets stay open, as when a machine loses its network.
      robot.process.kill('SIGSTOP')
      await ann.waitForSelector('#status >> text=Robot is gone')
      await ann.waitForSelector('text=Nobody else is here')
    } finally {
      await robot.stop('SIGKILL')
    }
  })
})

/** What the page makes of RTCPeerConnection, at hand for the test. */
const rememberConnections = `
  window.connections = []
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options)
      connections.push(this)
    }
  }
`

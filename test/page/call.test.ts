/** The page as people use it: two browsers, a call, and the path that it takes. */

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { buildPage, joinRoom, launchBrowser, say, seesMoving } from '../support/browser.ts'
import { type Child, missingPrograms, startCli } from '../support/programs.ts'

const missing = missingPrograms('the page in Chromium', ['chromium'], 'apt-get install chromium')

const dev = ['serve', '--dev', '--signaling', 'http://127.0.0.1:0']

interface Site {
  readonly server: Child
  readonly url: string
}

async function serve(flags: readonly string[]): Promise<Site> {
  const server = startCli([...dev, ...flags], { timeoutSeconds: 900 })
  const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
  return { server, url: `http://127.0.0.1:${JSON.parse(line).signaling.port}/` }
}

/** Ann calls Bob, who accepts. */
async function connect(ann: Page, bob: Page): Promise<void> {
  await ann.click('button[aria-label="Call Bob"]')
  await bob.waitForSelector('text=Ann is calling')
  await bob.click('#accept')
  for (const page of [ann, bob]) await page.waitForSelector('#call-state[data-state=connected]')
}

describe.skipIf(missing.length > 0)('the page', { timeout: 240_000 }, () => {
  let browser: Browser
  let site: Site
  let rooms = 0
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    browser = await launchBrowser()
    site = await serve(['--listen', 'udp://127.0.0.1:0', '--listen', 'tcp://127.0.0.1:0'])
  }, 240_000)

  afterAll(async () => {
    await browser?.close()
    await site?.server.stop()
  })

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close()
    expect(faults.splice(0)).toEqual([])
  })

  /** Ann and Bob in a room of their own. */
  async function meet({ url }: Site = site, browserOfBob = browser): Promise<[Page, Page]> {
    const room = `room ${++rooms}`
    return Promise.all([
      joinRoom(browser, url, 'Ann', faults, room),
      joinRoom(browserOfBob, url, 'Bob', browserOfBob === browser ? faults : [], room),
    ])
  }

  it('carries picture and chat both ways, directly', async () => {
    const [ann, bob] = await meet()
    await connect(ann, bob)
    for (const page of [ann, bob]) await seesMoving(page)
    await say(ann, 'hello Bob')
    await bob.waitForSelector('#messages >> text=hello Bob')
    await say(bob, 'hello Ann')
    await ann.waitForSelector('#messages >> text=hello Ann')
    for (const page of [ann, bob]) await page.waitForSelector('#path >> text=Direct')
    await ann.click('#hang-up')
    await bob.waitForSelector('#status >> text=Ann hung up')
    for (const page of [ann, bob]) await page.waitForSelector('#lobby:not([hidden])')
  })

  it('moves a call to the relay and back while it goes on', async () => {
    const [ann, bob] = await meet()
    await connect(ann, bob)
    await ann.check('#relay-only')
    for (const page of [ann, bob]) await page.waitForSelector('#path >> text=Through TURN')
    for (const page of [ann, bob]) await seesMoving(page)
    await say(ann, 'through the relay')
    await bob.waitForSelector('#messages >> text=through the relay')
    await ann.uncheck('#relay-only')
    for (const page of [ann, bob]) await page.waitForSelector('#path >> text=Direct')
  })

  it('goes through the relay over TCP where there is no UDP', async () => {
    const withoutUdp = await serve(['--listen', 'tcp://127.0.0.1:0'])
    onTestFinished(async () => {
      await withoutUdp.server.stop()
    })
    const [ann, bob] = await meet(withoutUdp)
    for (const page of [ann, bob]) await page.evaluate("document.getElementById('relay-only').click()")
    await connect(ann, bob)
    await ann.waitForSelector('#path >> text=over TCP')
    for (const page of [ann, bob]) await seesMoving(page)
  })

  it('lets people decline, by the keyboard too', async () => {
    const [ann, bob] = await meet()
    for (const decline of [() => bob.click('#decline'), () => bob.keyboard.press('Escape')]) {
      await ann.click('button[aria-label="Call Bob"]')
      await bob.waitForSelector('text=Ann is calling')
      await decline()
      await ann.waitForSelector('#status >> text=Bob declined')
    }
  })

  it('connects two people who call each other at the same time', async () => {
    const [ann, bob] = await meet()
    // At once, without waiting for a button that a call which has come first takes away.
    const press = (page: Page, name: string) =>
      page.evaluate(`document.querySelector('button[aria-label="Call ${name}"]').click()`)
    await ann.waitForSelector('button[aria-label="Call Bob"]')
    await Promise.all([press(ann, 'Bob'), press(bob, 'Ann')])
    // Who of the two is asked, if anybody, depends on which call comes first.
    await Promise.all(
      [ann, bob].map((page) =>
        expect.poll(() => page.evaluate(acceptUntilConnected), { timeout: 60_000 }).toBe(true),
      ),
    )
  })

  it('has a test peer in the room demo, which sends back picture, sound and chat', async () => {
    const ann = await joinRoom(browser, site.url, 'Ann', faults, 'demo')
    await ann.click('button[aria-label="Call echo (a test peer)"]')
    await ann.waitForSelector('#call-state[data-state=connected]')
    await ann.waitForSelector('#messages >> text=I send back what you send')
    await seesMoving(ann)
    await say(ann, 'is there an echo?')
    await expect
      .poll(() => ann.locator('#messages >> text=is there an echo?').count(), { timeout: 60_000 })
      .toBe(2)
    await ann.check('#relay-only')
    await ann.waitForSelector('#path >> text=Through TURN')
    await seesMoving(ann)
  })

  it('shows a peer that vanishes as gone', async () => {
    const other = await launchBrowser()
    let ann: Page
    try {
      const [caller, bob] = await meet(site, other)
      ann = caller
      await connect(ann, bob)
    } finally {
      await other.close()
    }
    await ann.waitForSelector('#status >> text=Bob is gone')
    await ann.waitForSelector('text=Nobody else is here')
  })

  it('survives a lost connection to the server without ending the call', async () => {
    const other = await serve(['--listen', 'udp://127.0.0.1:0'])
    const [ann, bob] = await meet(other)
    await connect(ann, bob)
    await other.server.stop()
    await ann.waitForSelector('#status >> text=Connecting to the server')
    await say(ann, 'still there?')
    await bob.waitForSelector('#messages >> text=still there?')
    faults.length = 0
  })
})

/** Accepts what comes, and holds when there is a call. */
const acceptUntilConnected = `(() => {
  const accept = document.getElementById('accept')
  if (accept.checkVisibility()) accept.click()
  return document.getElementById('call-state').dataset.state === 'connected'
})()`

/** The page as people use it: two browsers, a call, and the path that it takes. */

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildPage, joinRoom, launchBrowser, say, seesMoving } from '../support/browser.ts'
import { type Child, missingPrograms, startCli } from '../support/programs.ts'

const missing = missingPrograms('the page in Chromium', ['chromium'], 'apt-get install chromium')

const dev = ['serve', '--dev', '--signaling', 'http://127.0.0.1:0']

describe.skipIf(missing.length > 0)('the page', { timeout: 240_000 }, () => {
  let browser: Browser
  let server: Child
  let url: string
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    browser = await launchBrowser()
  }, 240_000)

  afterAll(() => browser?.close())

  beforeEach(() => serve(['--listen', 'udp://127.0.0.1:0', '--listen', 'tcp://127.0.0.1:0']))

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close()
    await server.stop()
    expect(faults.splice(0)).toEqual([])
  })

  async function serve(flags: readonly string[]): Promise<void> {
    server = startCli([...dev, ...flags], { timeoutSeconds: 240 })
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    url = `http://127.0.0.1:${JSON.parse(line).signaling.port}/`
  }

  async function join(name: string): Promise<Page> {
    return joinRoom(browser, url, name, faults)
  }

  /** Ann calls Bob, who accepts. */
  async function connect(ann: Page, bob: Page): Promise<void> {
    await ann.click('button[aria-label="Call Bob"]')
    await bob.waitForSelector('text=Ann is calling')
    await bob.click('#accept')
    for (const page of [ann, bob]) await page.waitForSelector('#call-state[data-state=connected]')
  }

  it('carries picture and chat both ways, directly', async () => {
    const [ann, bob] = [await join('Ann'), await join('Bob')]
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
    const [ann, bob] = [await join('Ann'), await join('Bob')]
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
    await server.stop()
    await serve(['--listen', 'tcp://127.0.0.1:0'])
    const [ann, bob] = [await join('Ann'), await join('Bob')]
    for (const page of [ann, bob]) await page.evaluate("document.getElementById('relay-only').click()")
    await connect(ann, bob)
    await ann.waitForSelector('#path >> text=over TCP')
    for (const page of [ann, bob]) await seesMoving(page)
  })

  it('lets people decline, by the keyboard too', async () => {
    const [ann, bob] = [await join('Ann'), await join('Bob')]
    for (const decline of [() => bob.click('#decline'), () => bob.keyboard.press('Escape')]) {
      await ann.click('button[aria-label="Call Bob"]')
      await bob.waitForSelector('text=Ann is calling')
      await decline()
      await ann.waitForSelector('#status >> text=Bob declined')
    }
  })

  it('connects two people who call each other at the same time', async () => {
    const [ann, bob] = [await join('Ann'), await join('Bob')]
    // At once, without waiting for a button that a call which has come first takes away.
    const press = (page: Page, name: string) =>
      page.evaluate(`document.querySelector('button[aria-label="Call ${name}"]').click()`)
    await ann.waitForSelector('button[aria-label="Call Bob"]')
    await Promise.all([press(ann, 'Bob'), press(bob, 'Ann')])
    const accept = bob.click('#accept', { timeout: 5000 }).catch(() => {})
    const acceptToo = ann.click('#accept', { timeout: 5000 }).catch(() => {})
    await Promise.all([accept, acceptToo])
    for (const page of [ann, bob]) await page.waitForSelector('#call-state[data-state=connected]')
  })

  it('has a test peer in the room demo, which sends back picture, sound and chat', async () => {
    const ann = await joinRoom(browser, url, 'Ann', faults, 'demo')
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
    try {
      const [ann, bob] = [await join('Ann'), await joinRoom(other, url, 'Bob', [])]
      await connect(ann, bob)
    } finally {
      await other.close()
    }
    const [ann] = browser.contexts()[0]!.pages()
    await ann!.waitForSelector('#status >> text=Bob is gone')
    await ann!.waitForSelector('text=Nobody else is here')
  })

  it('survives a lost connection to the server without ending the call', async () => {
    const [ann, bob] = [await join('Ann'), await join('Bob')]
    await connect(ann, bob)
    await server.stop()
    await ann.waitForSelector('#status >> text=Connecting to the server')
    await say(ann, 'still there?')
    await bob.waitForSelector('#messages >> text=still there?')
    faults.length = 0
  })
})

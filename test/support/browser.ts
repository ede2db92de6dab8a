/** Debian's Chromium, driven by playwright-core, with a camera that shows a test picture. */

import { spawnSync } from 'node:child_process'
import { type Browser, chromium, type Page } from 'playwright-core'
import { run } from './programs.ts'

const executablePath = run('sh', ['-c', 'command -v chromium']).stdout.trim()

/** No look-up and no connection of its own: what it opens is what the test opens. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [...quiet, '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  })
}

/** `npm start` builds the page before it starts; tests do the same once. */
export function buildPage(): void {
  const { status, stderr } = spawnSync('vite', ['build', '--config', 'web/vite.config.ts'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the page cannot be built: ${stderr}`)
}

/** A page of a person of that name, in the room; what goes wrong in it fails the test. */
export async function joinRoom(
  browser: Browser,
  url: string,
  name: string,
  faults: string[],
  room = 'room',
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  page.on('pageerror', (error) => faults.push(`${name}: ${error.message}`))
  page.on('requestfailed', (request) => faults.push(`${name}: ${request.url()}`))
  await page.goto(url)
  await page.fill('#room', room)
  await page.fill('#name', name)
  await page.press('#name', 'Enter')
  await page.waitForSelector('#lobby:not([hidden])')
  return page
}

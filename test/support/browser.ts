/** Debian's Chromium, driven by playwright-core, with a camera that shows a test picture. */

import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { run } from './programs.ts'
import { until } from './until.ts'

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

export function launchBrowser(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [...quiet, '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', ...more],
  })
}

const built = 'dist/web/index.html'
const lock = 'dist/.page-is-being-built'

/** `npm start` builds the page before it starts; tests do the same once, whichever of them comes first. */
export async function buildPage(): Promise<void> {
  mkdirSync('dist', { recursive: true })
  await until(() => isOurs(lock), 'our turn to build the page')
  try {
    if (isFresh()) return
    const { status, stderr } = spawnSync(
      process.execPath,
      ['node_modules/vite/bin/vite.js', 'build', '--config', 'web/vite.config.ts'],
      { encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(`the page cannot be built: ${stderr}`)
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Makes a file that is not there yet; one that somebody has left behind for long counts for nothing. */
function isOurs(file: string): boolean {
  try {
    if (Date.now() - statSync(file).mtimeMs > 100_000) rmSync(file, { force: true })
  } catch {
    // It is not there, as a rule.
  }
  try {
    closeSync(openSync(file, 'wx'))
    return true
  } catch {
    return false
  }
}

/** Built after the last change to what it is built from. */
function isFresh(): boolean {
  if (!existsSync(built)) return false
  const at = statSync(built).mtimeMs
  return ['web', 'src/signaling'].every((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).every(
      (file) => statSync(join(folder, file)).mtimeMs < at,
    ),
  )
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

export async function say(page: Page, text: string): Promise<void> {
  await page.fill('#text', text)
  await page.press('#text', 'Enter')
}

/** Frames are decoded, and go on being so. */
export async function seesMoving(page: Page): Promise<void> {
  const frames = "document.getElementById('remote').getVideoPlaybackQuality().totalVideoFrames"
  const before = Number(await page.evaluate(frames))
  await expect.poll(() => page.evaluate(frames), { timeout: 60_000 }).toBeGreaterThan(before + 10)
}

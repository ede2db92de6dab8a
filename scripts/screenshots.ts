/** Pictures of the page for docs/: the lobby, being asked, in a call. `node scripts/screenshots.ts`, with Debian's Chromium. */

import { spawn } from 'node:child_process'
import { chromium, type Page } from 'playwright-core'

const server = spawn(
  process.execPath,
  ['bin/turnpike.ts', 'serve', '--dev', '--listen', 'udp://127.0.0.1:0', '--signaling', 'http://127.0.0.1:0'],
  { stdio: ['ignore', 'pipe', 'ignore'] },
)
const url = await new Promise<string>((resolve) => {
  let text = ''
  server.stdout.on('data', (chunk) => {
    text += chunk
    const line = /^\{"event":"listening".*\}$/m.exec(text)?.[0]
    if (line !== undefined) resolve(`http://127.0.0.1:${JSON.parse(line).signaling.port}/`)
  })
})

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
  ],
})

type Look = { readonly width: number; readonly height: number; readonly colorScheme: 'light' | 'dark' }

async function open(name: string, { width, height, colorScheme }: Look, room: string): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(120_000)
  await page.goto(`${url}?name=${name}&room=${room}`)
  await page.waitForSelector('#lobby:not([hidden])')
  return page
}

const desk: Look = { width: 1000, height: 760, colorScheme: 'light' }
const phone: Look = { width: 390, height: 780, colorScheme: 'dark' }
const shoot = (page: Page, file: string) => page.screenshot({ path: `docs/${file}.png` })

try {
  const [ann, bob] = [await open('Ann', desk, 'garden'), await open('Bob', phone, 'garden')]
  await ann.waitForSelector('button[aria-label="Call Bob"]')
  await ann.setViewportSize({ width: 1000, height: 290 })
  await shoot(ann, 'page-lobby')
  await ann.setViewportSize(desk)
  await ann.click('button[aria-label="Call Bob"]')
  await bob.waitForSelector('text=Ann is calling')
  await shoot(bob, 'page-asked')
  await bob.click('#accept')
  for (const page of [ann, bob]) await page.waitForSelector('#call-state[data-state=connected]')
  await ann.waitForSelector('#path >> text=Direct')
  for (const [page, text] of [
    [ann, 'Can you see me?'],
    [bob, 'Yes, and the path is short.'],
  ] as const) {
    await page.fill('#text', text)
    await page.press('#text', 'Enter')
  }
  await ann.waitForSelector('#messages >> text=the path is short')
  await ann.evaluate('scrollTo(0, 0)')
  await ann.waitForTimeout(3000)
  await ann.setViewportSize({ width: 1000, height: 880 })
  await shoot(ann, 'page-call')
  await ann.check('#relay-only')
  await bob.waitForSelector('#path >> text=Through TURN')
  await bob.waitForTimeout(3000)
  await bob.evaluate("document.getElementById('path').scrollIntoView({ block: 'center' })")
  await shoot(bob, 'page-phone')
} finally {
  await browser.close()
  server.kill('SIGTERM')
}

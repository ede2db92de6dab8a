/** The page where nothing but TLS gets through: both ends at the relay by `turns:`. */

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPage, joinRoom, launchBrowser, seesMoving } from '../support/browser.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { type Child, missingPrograms, startCli } from '../support/programs.ts'

const missing = missingPrograms('the page in Chromium', ['chromium'], 'apt-get install chromium')

describe.skipIf(missing.length > 0)('the page, with TLS alone', { timeout: 240_000 }, () => {
  const certificates = new CertificateFolder()
  let browser: Browser
  let server: Child

  beforeAll(async () => {
    await buildPage()
    // Chromium asks of a TURN server what it asks of a site; this makes it take a certificate that it does not know.
    browser = await launchBrowser(['--ignore-certificate-errors'])
  }, 240_000)

  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    certificates.remove()
  })

  it('connects two people through the relay, and says so', async () => {
    const { certificateFile, keyFile } = certificates.make('turn.test')
    server = startCli(
      [
        ...['serve', '--dev', '--signaling', 'http://127.0.0.1:0', '--listen', 'tls://127.0.0.1:0'],
        ...['--tls-cert', certificateFile, '--tls-key', keyFile],
      ],
      { timeoutSeconds: 240 },
    )
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    const url = `http://127.0.0.1:${JSON.parse(line).signaling.port}/`
    const faults: string[] = []
    const [ann, bob] = [
      await joinRoom(browser, url, 'Ann', faults),
      await joinRoom(browser, url, 'Bob', faults),
    ]
    for (const page of [ann, bob]) await page.evaluate("document.getElementById('relay-only').click()")
    await ann.click('button[aria-label="Call Bob"]')
    await bob.click('#accept')
    for (const page of [ann, bob]) await page.waitForSelector('#path >> text=over TLS')
    for (const page of [ann, bob]) await seesMoving(page)
    expect(faults).toEqual([])
  })
})

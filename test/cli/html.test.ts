/** `--html`: one file with the drawings, which asks nothing of anybody and runs nothing of what it is told. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, describe, expect, it } from 'vitest'
import { checkScreen } from '../../src/cli/check-screen.ts'
import { htmlPage } from '../../src/cli/html/page.ts'
import { iceScreen } from '../../src/cli/ice-screen.ts'
import { natScreen } from '../../src/cli/nat-screen.ts'
import { predictScreen } from '../../src/cli/predict.ts'
import { punchScreen } from '../../src/cli/punch-screen.ts'
import type { Block } from '../../src/cli/screen/blocks.ts'
import { throughputScreen } from '../../src/cli/throughput-screen.ts'
import type { IceReport } from '../../src/probe/ice.ts'
import { predict } from '../../src/probe/predict.ts'
import type { PunchReport } from '../../src/probe/punch.ts'
import { summarize } from '../../src/probe/statistics.ts'
import type { ThroughputReport } from '../../src/probe/throughput.ts'
import { checkWorld } from '../support/check-world.ts'
import { nats, probeWorld } from '../support/probe-world.ts'
import { missingPrograms, run } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

const missing = missingPrograms('pages in Chromium', ['chromium'], 'apt-get install chromium')
const folder = mkdtempSync(join(tmpdir(), 'turnpike-html-'))
afterAll(() => rmSync(folder, { recursive: true }))

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage']

function pageOf(blocks: readonly Block[], report: unknown): string {
  return htmlPage({ title: 'turnpike', blocks, report, tool: 'turnpike 0.0.0' })
}

const gathered: IceReport = {
  schema: 'turnpike.ice/1',
  tool: 'turnpike 0.0.0',
  time: '2027-01-15T08:00:00.000Z',
  durationMs: 50,
  isPartial: false,
  candidates: [
    {
      ...{
        ms: 1.5,
        type: 'host',
        protocol: 'udp',
        tcpType: null,
        address: '192.168.1.2:5000',
        related: null,
      },
      ...{ foundation: '1', component: 1, priority: 2_130_706_431, url: null, relayProtocol: null },
    },
  ],
  servers: [{ url: 'stun:no.example.net', candidates: 0, ms: 40, error: 'ENOTFOUND', code: 701 }],
}

const punched: PunchReport = {
  schema: 'turnpike.punch/1',
  connected: { value: true, reason: null },
  path: {
    local: { type: 'srflx', address: '20.0.0.4:6681' },
    remote: { type: 'srflx', address: '20.0.0.5:12416' },
    rttMs: 40,
  },
  firstDataMs: 120,
  first: 'theirs',
  prediction: {
    schema: 'turnpike.predict/1',
    path: 'direct',
    summary: 'These two can connect directly.',
    reasons: [],
  },
  asPredicted: { value: true, reason: null },
  pairs: [],
}

const carried: ThroughputReport = {
  schema: 'turnpike.throughput/1',
  tool: 'turnpike 0.0.0',
  server: 'turn:20.0.0.2:3478',
  transport: 'udp',
  plan: { mbitsPerSecond: [1], secondsPerStep: 1, payloadBytes: 1200, mostBytes: 300_000 },
  relays: ['20.0.0.2:59306', '20.0.0.2:61632'],
  steps: [
    {
      targetMbits: 1,
      sentMbits: 1,
      goodputMbits: 1,
      roundTrips: summarize([40, 41, 42], 3),
      reordered: 0,
    },
  ],
  bestMbits: 1,
  end: 'plan',
  failure: null,
}

/** The pages of all commands, with what each has to show. */
async function pages(): Promise<[name: string, html: string, shows: readonly string[]][]> {
  const { report: check } = await checkWorld()
  const { report: home } = await probeWorld({ seed: 7, kind: nats[2]! })
  const { report: office } = await probeWorld({ seed: 7, kind: nats[8]!, nat: { ports: 'sequential' } })
  const elsewhere = JSON.parse(JSON.stringify(office).replaceAll('"20.0.', '"22.0.'))
  const prediction = predict(home, elsewhere)
  return [
    [
      'check',
      pageOf(checkScreen(check, { verbose: true }), check),
      ['turn.example.net', '40.0 ms, 20 of 20 back'],
    ],
    ['nat', pageOf(natScreen(home, { verbose: false }), home), ['Port-restricted cone', '20.0.0.3:3479']],
    ['symmetric', pageOf(natScreen(office, { verbose: false }), office), ['class="other"']],
    [
      'predict',
      pageOf(predictScreen(prediction, [home, elsewhere]), prediction),
      ['TURN relay', 'symmetric (APDM'],
    ],
    ['punch', pageOf(punchScreen(punched), punched), ['srflx 20.0.0.5:12416', '40 ms']],
    ['throughput', pageOf(throughputScreen(carried), carried), ['20.0.0.2:61632', '1.0 Mbit/s, p95 42.0 ms']],
    ['ice', pageOf(iceScreen(gathered, { verbose: false }), gathered), ['192.168.1.2:5000', 'no address']],
  ]
}

describe('a page', () => {
  it('has the drawing, the report itself, and nothing from elsewhere', async () => {
    for (const [name, html, shows] of await pages()) {
      for (const text of ['<svg ', ...shows]) expect(html, name).toContain(text)
      expect(html, name).not.toMatch(/https?:|src=|url\(|@import|<link/)
      expect(html, name).toContain("default-src 'none'")
      const [, json] = /<script type="application\/json" id="report">(.*)<\/script>/.exec(html)!
      expect(JSON.parse(json!).schema, name).toMatch(/^turnpike\.[a-z]+\/1$/)
    }
  })

  it('takes what servers say for text', () => {
    const hostile = '</script><script>alert(1)</script><img src=x onerror=alert(1)>'
    const blocks: Block[] = [
      { type: 'title', left: hostile, right: hostile },
      { type: 'verdict', mark: 'failed', sentences: [hostile] },
      { type: 'facts', facts: [{ label: hostile, value: { mark: 'ok', text: hostile } }] },
      { type: 'table', name: 'x', columns: [hostile], rows: [[hostile]] },
      { type: 'drawing', lines: [hostile] },
      {
        type: 'drawing',
        lines: [],
        figure: { kind: 'route', stations: [{ title: hostile, detail: hostile }], links: [], back: hostile },
      },
      { type: 'problems', problems: [{ mark: 'failed', text: hostile }] },
      { type: 'next', commands: [hostile] },
    ]
    const html = htmlPage({ title: hostile, blocks, report: { said: hostile }, tool: hostile })
    expect(html.match(/<script/g)).toHaveLength(1)
    expect(html).not.toContain('<img')
    const [, json] = /id="report">(.*?)<\/script>/.exec(html)!
    expect(JSON.parse(json!)).toEqual({ said: hostile })
  })

  it.skipIf(missing.length > 0)('is shown by a browser in light and in dark, without a request', async () => {
    const executablePath = run('sh', ['-c', 'command -v chromium']).stdout.trim()
    const browser: Browser = await chromium.launch({ executablePath, args: quiet })
    const requests: string[] = []
    const faults: string[] = []
    try {
      for (const colorScheme of ['light', 'dark'] as const) {
        const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, colorScheme })
        for (const [name, html] of await pages()) {
          const file = join(folder, `${name}.html`)
          writeFileSync(file, html)
          const page = await context.newPage()
          page.on('request', (request) => requests.push(request.url()))
          page.on('console', (message) => faults.push(`${name}: ${message.text()}`))
          page.on('pageerror', (error) => faults.push(`${name}: ${error.message}`))
          await page.goto(`file://${file}`)
          const boxes = await page
            .locator('svg')
            .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().width))
          for (const width of boxes) expect(width).toBeGreaterThan(400)
          const background = await page.evaluate('getComputedStyle(document.body).backgroundColor')
          expect(background).toBe(colorScheme === 'light' ? 'rgb(246, 247, 249)' : 'rgb(15, 20, 26)')
          const isTooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
          expect(isTooWide, name).toBe(false)
          await page.close()
        }
        await context.close()
      }
    } finally {
      await browser.close()
    }
    expect(requests.filter((url) => !url.startsWith('file:'))).toEqual([])
    expect(faults).toEqual([])
  })
})

describe('--html', () => {
  const report = (name: string) => join(folder, `${name}.json`)

  it('writes the page beside what is printed', async () => {
    for (const [name, kind] of [
      ['a', nats[2]!],
      ['b', nats[8]!],
    ] as const) {
      const measured = JSON.stringify((await probeWorld({ seed: 7, kind })).report)
      writeFileSync(report(name), measured.replaceAll('"20.0.', name === 'a' ? '"21.0.' : '"22.0.'))
    }
    const file = join(folder, 'predict.html')
    const { code, stdout, stderr } = await runMain([
      'predict',
      report('a'),
      report('b'),
      '--plain',
      '--html',
      file,
    ])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^verdict: /)])
    expect(stderr).toContain(`the page is in ${file}`)
    expect(readFileSync(file, 'utf8')).toContain('These two need a relay (TURN).')
  })

  it('that cannot be written is named', async () => {
    const file = join(folder, 'no', 'such', 'folder.html')
    const { code, stderr } = await runMain(['predict', report('a'), report('b'), '--html', file])
    expect(stderr).toMatch(/--html ".*folder\.html" cannot be written \(ENOENT\)/)
    expect([code, existsSync(file)]).toEqual([2, false])
  })
})

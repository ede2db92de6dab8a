/** `pingServers` over simulated lines whose delay and loss are known, and the screen of `turnpike ping`. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { exitCodeOfPing } from '../../src/cli/ping.ts'
import { pingScreen } from '../../src/cli/ping-screen.ts'
import { parseRequirements } from '../../src/cli/requirements.ts'
import { LiveScreen } from '../../src/cli/screen/live.ts'
import { render } from '../../src/cli/screen/render.ts'
import { anonymizedPing } from '../../src/probe/anonymize.ts'
import { type Ping, type PingOptions, type PingReport, pingServers } from '../../src/probe/ping.ts'
import { summarize } from '../../src/probe/statistics.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import { parseServerUri } from '../../src/stun/uri.ts'

const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isPing = ajv.compile(JSON.parse(readFileSync('docs/schemas/ping-1.schema.json', 'utf8')))
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface World {
  readonly report: PingReport
  readonly pings: readonly Ping[]
}

/** One server 20 ms away, one 50 ms with loss, and one that is not there. */
async function world(options: Partial<PingOptions> = {}, uris?: readonly string[]): Promise<World> {
  const internet = new Internet({ seed: 7 })
  const near = internet.host()
  const far = internet.host({ link: { delayMs: 25, jitterMs: 10, loss: 0.2 } })
  internet.name('near.example.net', near)
  internet.name('far.example.net', far)
  for (const host of [near, far]) {
    const listen = (['udp', 'tcp'] as const).map((transport) => ({
      transport,
      address: host.address(3478),
      isOptional: false,
    }))
    await internet.until(
      startServer({ ...defaultConfig, users: [{ name: 'a', password: 'b' }], listen }, host, quiet),
    )
  }
  const client = internet.host({ link: { delayMs: 0 } })
  const pings: Ping[] = []
  const servers = uris ?? ['stun:near.example.net', 'turn:far.example.net', 'stun:near.example.net:9']
  const report = await internet.until(
    pingServers(client, {
      servers: servers.map(parseServerUri),
      count: 30,
      tool: 'turnpike 0.0.0',
      onPing: (ping) => pings.push(ping),
      ...options,
    }),
  )
  return { report, pings }
}

describe('pinging', () => {
  it('tells the latency, the jitter and the loss of each line', async () => {
    const { report, pings } = await world()
    const [near, far, none] = report.servers
    expect(near).toMatchObject({
      sent: 30,
      received: 30,
      loss: 0,
      minMs: 20,
      p95Ms: 20,
      jitterMs: 0,
      failure: null,
    })
    expect(far!.minMs).toBeGreaterThanOrEqual(50)
    expect(far!.loss).toBeGreaterThan(0.1)
    expect(far!.received).toBe(far!.history.filter((one) => one !== null).length)
    expect(none).toMatchObject({ sent: 30, received: 0, loss: 1, avgMs: null, p95Ms: null, jitterMs: null })
    expect(pings).toHaveLength(90)
    expect(report).toMatchObject({ isPartial: false })
    expect(isPing(JSON.parse(JSON.stringify(report))), JSON.stringify(isPing.errors)).toBe(true)
  })

  it('keeps one connection for TCP', async () => {
    const { report } = await world({ count: 3 }, ['turn:near.example.net?transport=tcp'])
    expect(report.servers[0]).toMatchObject({ transport: 'tcp', received: 3, lastMs: 20 })
  })

  it('says why there is no way to a server', async () => {
    const { report, pings } = await world({ count: 2 }, [
      'turn:near.example.net:9?transport=tcp',
      'stun:no.example.net',
    ])
    expect(report.servers.map(({ failure }) => failure)).toEqual(['ECONNREFUSED', 'ENOTFOUND'])
    expect(pings.map(({ rttMs, reason }) => [rttMs, reason]).sort()).toEqual([
      [null, 'ECONNREFUSED'],
      [null, 'ECONNREFUSED'],
      [null, 'ENOTFOUND'],
      [null, 'ENOTFOUND'],
    ])
  })

  it('tells a closed UDP port where the system does', async () => {
    const { report } = await world({ count: 1, isRefused: async () => true }, ['stun:near.example.net:9'])
    expect(report.servers[0]).toMatchObject({ received: 0, failure: 'ECONNREFUSED' })
  })

  it('can be broken off, and tells what came until then', async () => {
    const controller = new AbortController()
    const { report } = await world({
      signal: controller.signal,
      onPing: ({ sequence }) => sequence === 5 && controller.abort(),
    })
    expect(report.isPartial).toBe(true)
    expect(report.servers[0]!.sent).toBe(5)
  })
})

describe('round trips', () => {
  it('are summed up as RFC 3550 says', () => {
    expect(summarize([10, 26, 10, 42], 5)).toEqual({
      sent: 5,
      received: 4,
      loss: 0.2,
      minMs: 10,
      avgMs: 22,
      p50Ms: 10,
      p95Ms: 42,
      maxMs: 42,
      // 16/16; then (16 - 1)/16 more; then (32 - 1.9375)/16 more.
      jitterMs: 3.82,
    })
  })

  it('that never came back leave nothing to say but their loss', () => {
    expect(summarize([], 3)).toMatchObject({ loss: 1, avgMs: null, jitterMs: null })
    expect(summarize([], 0)).toMatchObject({ loss: null })
  })
})

describe('the exit code of turnpike ping', () => {
  const parse = parseRequirements<never>([], ['rtt', 'loss'])
  it.each([
    [['stun:near.example.net'], 'rtt<30ms,loss<1%', 0],
    [['stun:near.example.net'], 'rtt<10ms', 1],
    [['turn:far.example.net'], 'loss<1%', 1],
    [['stun:near.example.net', 'stun:near.example.net:9'], 'rtt<30ms', 1],
    [['stun:near.example.net:9'], 'rtt<30ms', 4],
  ])('%s with %s is %d', async (uris, required, code) => {
    const { report } = await world({ count: 10 }, uris)
    expect(exitCodeOfPing(report, parse(required))).toBe(code)
  })
})

describe('the screen of turnpike ping', () => {
  it('is a table with the history of each server', async () => {
    const { report } = await world()
    const text = render(pingScreen(report), person)
    await expect(text).toMatchFileSnapshot('golden/ping.txt')
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('has the addresses with --verbose', async () => {
    const text = render(pingScreen((await world()).report, { verbose: true }), person)
    await expect(text).toMatchFileSnapshot('golden/ping-verbose.txt')
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('knows ASCII', async () => {
    const text = render(pingScreen((await world()).report), { ...person, hasUnicode: false })
    expect(text).toMatch(/^[\x20-\x7e\n]*$/)
  })

  it('hides names and addresses on demand', async () => {
    const hidden = JSON.stringify(anonymizedPing((await world({ count: 1 })).report))
    expect(hidden).not.toMatch(/example|20\.0\.0/)
    expect(isPing(JSON.parse(hidden)), JSON.stringify(isPing.errors)).toBe(true)
  })

  it.each([
    ['stun:[2001:db8::5]', 'stun:address-1'],
    ['turn:[2001:db8::5]?transport=tcp', 'turn:address-1?transport=tcp'],
    ['stun:[2001:db8::5]:3479', 'stun:address-1:3479'],
  ])('hides IPv6 addresses too: %s', async (uri, shown) => {
    const { report } = await world({ count: 1 })
    const failure = 'no answer from 2001:db8::5: gone, nor from 2001:db8:0:1:2:3:4:5 or ::ffff:192.0.2.1.'
    const server = { ...report.servers[0]!, uri, address: '[2001:db8::5]:3478', failure }
    const hidden = anonymizedPing({ ...report, servers: [server] })
    expect(JSON.stringify({ ...hidden, time: '' })).not.toMatch(/2001:db8|192\.0\.2/)
    expect(hidden.servers[0]).toMatchObject({ uri: shown, address: 'address-1:3478' })
    expect(hidden.servers[0]!.failure).toMatch(
      /^no answer from address-\d: gone, nor from address-\d or address-\d\.$/,
    )
  })

  it('is written over the one before, row by row', () => {
    const written: string[] = []
    const live = new LiveScreen({ columns: 10, write: (text) => written.push(text) })
    live.show('a\nbbbbbbbbbbbb\n')
    live.show('c\n')
    live.clear()
    live.clear()
    expect(written).toEqual(['a\nbbbbbbbbbbbb\n', '\x1b[3A\r\x1b[Jc\n', '\x1b[1A\r\x1b[J'])
  })
})

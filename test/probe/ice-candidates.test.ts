/** `gatherCandidates` behind simulated NATs, and the screen of `turnpike ice`. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { exitCodeOfIce } from '../../src/cli/ice.ts'
import { iceScreen } from '../../src/cli/ice-screen.ts'
import { render } from '../../src/cli/screen/render.ts'
import { anonymizedIce } from '../../src/probe/anonymize.ts'
import { gatherCandidates, type IceProbeOptions } from '../../src/probe/ice.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'

const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isIce = ajv.compile(JSON.parse(readFileSync('docs/schemas/ice-1.schema.json', 'utf8')))
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const login = { username: 'alice', credential: 'wonder' }

async function gather(
  servers: IceProbeOptions['servers'],
  client: (internet: Internet) => SimHost = (internet) => internet.nat().host(),
) {
  const internet = new Internet({ seed: 7 })
  const host = internet.host()
  internet.name('turn.example.net', host)
  const listen = [{ transport: 'udp' as const, address: host.address(3478), isOptional: false }]
  const config = { ...defaultConfig, users: [{ name: 'alice', password: 'wonder' }], listen }
  await internet.until(startServer(config, host, quiet))
  const report = await internet.until(gatherCandidates(client(internet), { servers, tool: 'turnpike 0.0.0' }))
  expect(isIce(JSON.parse(JSON.stringify(report))), JSON.stringify(isIce.errors)).toBe(true)
  return report
}

const good = [{ urls: 'stun:turn.example.net' }, { urls: 'turn:turn.example.net', ...login }]

describe('gathering', () => {
  it('gives host, reflexive and relayed candidates, each with its time and its server', async () => {
    const report = await gather(good)
    expect(report.candidates.map(({ type, url }) => [type, url])).toEqual([
      ['host', null],
      ['srflx', 'stun:turn.example.net'],
      ['relay', 'turn:turn.example.net'],
    ])
    const times = report.candidates.map(({ ms }) => ms)
    expect(times).toEqual(times.toSorted((x, y) => x - y))
    expect(times[1]).toBeGreaterThanOrEqual(40)
    expect(report).toMatchObject({ isPartial: false })
    expect(exitCodeOfIce(report)).toBe(0)
  })

  it.each([
    ['a wrong password', [{ urls: 'turn:turn.example.net', username: 'alice', credential: 'x' }], 401, 5],
    ['a name that is not there', [{ urls: 'stun:no.example.net' }], 701, 4],
    ['a server that is silent', [{ urls: 'stun:turn.example.net:9' }], 701, 4],
    ['one of two that is silent', [...good, { urls: 'turn:turn.example.net:9', ...login }], 701, 1],
  ] as const)('says what is wrong with %s', async (_, servers, code, exit) => {
    const report = await gather(servers)
    const failed = report.servers.find(({ error }) => error !== null)
    expect(failed).toMatchObject({ code })
    expect(exitCodeOfIce(report)).toBe(exit)
  })

  it('of a server that tells nothing new says no fault', async () => {
    const report = await gather([{ urls: 'stun:turn.example.net' }], (internet) => internet.host())
    expect(report.servers).toEqual([
      { url: 'stun:turn.example.net', candidates: 0, ms: null, error: null, code: null },
    ])
    expect(exitCodeOfIce(report)).toBe(0)
  })
})

describe('the screen of turnpike ice', () => {
  it.each([
    ['good', good],
    ['bad', [...good, { urls: 'turn:turn.example.net:9', ...login }, { urls: 'stun:no.example.net' }]],
  ])('%s', async (name, servers) => {
    const report = await gather(servers)
    const text = render(iceScreen(report, { verbose: name === 'good' }), person)
    await expect(text).toMatchFileSnapshot(`golden/ice-${name}.txt`)
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('hides names and addresses on demand', async () => {
    const hidden = JSON.stringify(anonymizedIce(await gather(good)))
    expect(hidden).not.toMatch(/example|20\.0\.0|192\.168/)
    expect(isIce(JSON.parse(hidden)), JSON.stringify(isIce.errors)).toBe(true)
  })
})

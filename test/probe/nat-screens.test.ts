/** What `turnpike nat` and `turnpike predict` print: golden screens, JSON by its schema, nothing of addresses on demand. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, it } from 'vitest'
import { exitCodeOf } from '../../src/cli/nat.ts'
import { natScreen } from '../../src/cli/nat-screen.ts'
import { predictScreen } from '../../src/cli/predict.ts'
import { checkRequirements, parseRequirements } from '../../src/cli/requirements.ts'
import { render } from '../../src/cli/screen/render.ts'
import { anonymized } from '../../src/probe/anonymize.ts'
import { predict } from '../../src/probe/predict.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import { kinds, nats, probeWorld, type WorldOptions } from '../support/probe-world.ts'
import { runMain } from '../support/run-main.ts'

const seed = 7
const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isNat = ajv.compile(JSON.parse(readFileSync('docs/schemas/nat-1.schema.json', 'utf8')))
const isPrediction = ajv.compile(JSON.parse(readFileSync('docs/schemas/predict-1.schema.json', 'utf8')))
const folder = mkdtempSync(join(tmpdir(), 'turnpike-nat-'))
afterAll(() => rmSync(folder, { recursive: true }))

const reportOf = async (options: Omit<WorldOptions, 'seed'>) =>
  (await probeWorld({ seed, ...options })).report

const screens: [string, Omit<WorldOptions, 'seed'>][] = [
  ['home', { kind: nats[2]!, nat: { ports: 'preserved' } }],
  ['symmetric', { kind: nats[8]!, nat: { ports: 'sequential' } }],
  ['open', { kind: kinds[9]! }],
  ['firewall', { kind: kinds[10]! }],
  ['blocked', { kind: nats[0]!, nat: { outbound: 'udp-dropped' } }],
  ['bad-server', { kind: nats[0]!, server: 'ignores-change-request' }],
  ['one-address', { kind: nats[2]!, server: 'one-address' }],
]

describe('the screen of turnpike nat', () => {
  it.each(screens)('%s', async (name, options) => {
    const report = await reportOf(options)
    const text = render(natScreen(report, { verbose: name === 'symmetric' }), person)
    await expect(text).toMatchFileSnapshot(`golden/nat-${name}.txt`)
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('is one record a line with --plain', async () => {
    const report = await reportOf(screens[0]![1])
    const text = render(natScreen(report, { verbose: true }), { ...person, isPlain: true })
    await expect(text).toMatchFileSnapshot('golden/nat-home-plain.txt')
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^[a-z0-9-]+: \S/)
  })
})

describe('the report', () => {
  it.each(screens)('%s is valid by the schema', async (_, options) => {
    const report = JSON.parse(JSON.stringify(await reportOf(options)))
    expect(isNat(report), JSON.stringify(isNat.errors)).toBe(true)
  })

  it('that lacks a reason for a null is not', async () => {
    const report = structuredClone(await reportOf(screens[0]![1])) as {
      families: { udp4: { nat: { alg: unknown } } }
    }
    report.families.udp4.nat.alg = { value: null, reason: null }
    expect(isNat(JSON.parse(JSON.stringify(report)))).toBe(false)
  })

  it.each(screens)('%s has no address when it is anonymized, and is valid still', async (_, options) => {
    const report = JSON.parse(JSON.stringify(anonymized(await reportOf(options))))
    expect(JSON.stringify(report)).not.toMatch(/\d+\.\d+\.\d+\.\d+/)
    expect(isNat(report), JSON.stringify(isNat.errors)).toBe(true)
  })
})

describe('the exit code', () => {
  const parse = parseRequirements(['udp', 'eim', 'direct', ...checkRequirements], ['rtt', 'loss', 'cert'])
  const cases: [string, Omit<WorldOptions, 'seed'>, string, number][] = [
    ['a symmetric NAT is no error', { kind: nats[8]! }, '', 0],
    ['what is required holds', { kind: nats[2]! }, 'udp,eim,direct,rtt<80ms', 0],
    ['what is required does not hold', { kind: nats[8]! }, 'eim', 1],
    ['what is required is not known', { kind: nats[2]!, server: 'one-address' }, 'eim', 3],
    ['no server answers', { kind: nats[2]!, nat: { outbound: 'udp-dropped' } }, '', 4],
    ['there is no IPv6', { kind: nats[2]! }, 'ipv6', 1],
    ['a server is farther away than is required', { kind: nats[2]! }, 'rtt<10ms', 1],
  ]
  it.each(cases)('when %s', async (_, options, required, code) => {
    expect(exitCodeOf(await reportOf(options), required === '' ? [] : parse(required))).toBe(code)
  })
})

describe('turnpike nat', () => {
  it.each([
    [['nat'], /name a STUN server.*--public/],
    [['nat', 'turn:example.org'], /write stun:example\.org/],
    [['nat', 'stun://example.org'], /no \/\/ after the stun:/],
    [
      ['nat', 'stun:example.org', '--require', 'udp,fast'],
      /"fast" is none of udp, eim, direct, turn-udp, .*rtt<80ms/,
    ],
    [
      ['nat', 'stun:example.org', '--turn', 'turn:example.org', '--user', 'me'],
      /--user needs a password: --password-file FILE, or - for standard input/,
    ],
    [['nat', 'stun:example.org', '--require', 'turn-udp'], /--require turn-udp needs a server: --turn/],
  ])('refuses %s', async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})

describe('turnpike predict', () => {
  const write = (name: string, report: ProbeReport) => {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify(report).replaceAll('"20.0.', `"${name === 'a.json' ? 21 : 22}.0.`))
    return file
  }

  it('says it of two files', async () => {
    const a = write('a.json', await reportOf({ kind: nats[2]! }))
    const b = write('b.json', await reportOf({ kind: nats[8]! }))
    const { code, stdout } = await runMain(['predict', a, b, '--json'])
    expect(code).toBe(0)
    expect(isPrediction(JSON.parse(stdout)), JSON.stringify(isPrediction.errors)).toBe(true)
    expect(JSON.parse(stdout)).toMatchObject({ path: 'relay', summary: 'These two need a relay (TURN).' })
    expect((await runMain(['predict', a, b, '--plain'])).stdout).toMatch(/^verdict: These two need a relay/)
  })

  it('shows the way, the reasons and both sides', async () => {
    const reports = [
      await reportOf({ kind: nats[2]! }),
      await reportOf({ kind: nats[8]!, nat: { ports: 'sequential' } }),
    ] as const
    const text = render(predictScreen(predict(...reports), reports, true), person)
    await expect(text).toMatchFileSnapshot('golden/predict.txt')
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('ends with 3 when it cannot be told', async () => {
    const a = write('a.json', await reportOf({ kind: nats[2]!, server: 'one-address' }))
    const b = write('b.json', await reportOf({ kind: nats[8]! }))
    expect((await runMain(['predict', a, b])).code).toBe(3)
  })

  it('refuses what is no report', async () => {
    const file = join(folder, 'no.json')
    writeFileSync(file, '{"schema":"turnpike.nat/2"}')
    const { code, stderr } = await runMain(['predict', file, file])
    expect(code).toBe(2)
    expect(stderr).toMatch(/is no report of schema turnpike\.nat\/1; write one with turnpike nat --json/)
    expect((await runMain(['predict', join(folder, 'none.json'), file])).stderr).toMatch(/cannot be read/)
  })
})

/** Punching in simulated networks: what happens is what was predicted, for every pair of NATs; and the codes. */

import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { pastedMeeting } from '../../src/cli/punch-paste.ts'
import { punchScreen } from '../../src/cli/punch-screen.ts'
import { render } from '../../src/cli/screen/render.ts'
import { anonymizedPunch } from '../../src/probe/anonymize.ts'
import { probeNat } from '../../src/probe/nat.ts'
import { isAsymmetric } from '../../src/probe/predict.ts'
import { Punch, type PunchReport } from '../../src/probe/punch.ts'
import { decodePunchCode, encodePunchCode, type PunchOffer } from '../../src/probe/punch-code.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { firewall, type Kind, nats, open, placeOf, startServers } from '../support/probe-world.ts'

interface Side {
  readonly kind: Kind
  readonly nat?: NatPlaceOptions
}

async function twoSides(sides: readonly [Side, Side]) {
  const internet = new Internet({ seed: 5 })
  const { stun } = await startServers(internet, 'rfc5780')
  const uri = `stun:${stun[0]}`
  const opened = await Promise.all(
    sides.map(async ({ kind, nat }, i) => {
      const host = placeOf(internet, kind, nat).host()
      const network = await internet.until(
        probeNat(host, { servers: [parseServerUri(uri)], families: ['udp4'] }),
      )
      const role = i === 0 ? ('controlling' as const) : ('controlled' as const)
      return internet.until(Punch.open(host, { role, servers: [uri], network }))
    }),
  )
  return { internet, a: opened[0]!, b: opened[1]! }
}

/** What the other side gets to see, over a text. */
function told(offer: PunchOffer): PunchOffer {
  const decoded = decodePunchCode(encodePunchCode(offer))
  if (typeof decoded === 'string') throw new Error(decoded)
  return decoded
}

async function punch(sides: readonly [Side, Side]): Promise<[PunchReport, PunchReport]> {
  const { internet, a, b } = await twoSides(sides)
  const how = { limitMs: 10_000, isPeerLate: false }
  const reports = await internet.until(
    Promise.all([a.connect(told(b.offer), how), b.connect(told(a.offer), how)]),
  )
  a.close()
  b.close()
  return reports
}

const all = [...nats, open, firewall]
const pairs = all.flatMap((x, i) => all.slice(i).map((y) => ({ x, y, name: `${x.name} and ${y.name}` })))

describe('two hosts that try', () => {
  it.each(pairs)('$name: as predicted', async ({ x, y }) => {
    const reports = await punch([{ kind: x }, { kind: y }])
    for (const report of reports) {
      expect(report.asPredicted, JSON.stringify(report)).toEqual({ value: true, reason: null })
      expect(report.connected.value).toBe(report.prediction.path === 'direct')
      if (isAsymmetric(x, y)) expect(report.connected.value).toBe(false)
      if (report.connected.value === true) {
        expect(report.path).not.toBe(null)
        expect(report.firstDataMs).toBeGreaterThan(0)
      }
    }
    const [{ first: a }, { first: b }] = reports
    // Where both filters are open already, each side hears the other's first.
    if (a !== null) expect([a, b]).toContain('theirs')
  })

  it('one who is late is waited for, longer than a checklist lasts', async () => {
    const { internet, a, b } = await twoSides([{ kind: nats[2]! }, { kind: nats[2]! }])
    const waiting = b.connect(told(a.offer), { limitMs: 300_000, isPeerLate: true })
    await internet.runAsync({ for: 95_000 })
    const trying = a.connect(told(b.offer), { limitMs: 10_000, isPeerLate: false })
    const [late, early] = await internet.until(Promise.all([trying, waiting]))
    expect(late.connected.value, JSON.stringify(late)).toBe(true)
    expect(early.connected.value, JSON.stringify(early)).toBe(true)
    a.close()
    b.close()
  })

  it('one who never comes leaves it open', async () => {
    const { internet, a, b } = await twoSides([{ kind: nats[2]! }, { kind: nats[2]! }])
    const report = await internet.until(b.connect(told(a.offer), { limitMs: 60_000, isPeerLate: true }))
    expect(report.connected).toEqual({
      value: null,
      reason: 'nothing has come from the other side; was the code taken there?',
    })
    expect(report.asPredicted.value).toBe(null)
    a.close()
    b.close()
  })
})

describe('a code', () => {
  const offerOf = async (): Promise<PunchOffer> => {
    const { a, b } = await twoSides([{ kind: nats[2]! }, { kind: nats[8]!, nat: { ports: 'sequential' } }])
    a.close()
    b.close()
    return b.offer
  }

  it('is short, and says all that is needed', async () => {
    const offer = await offerOf()
    const code = encodePunchCode(offer)
    expect(code.length).toBeLessThan(160)
    const decoded = told(offer)
    const { ufrag, pwd } = offer.credentials
    expect(decoded.credentials).toEqual({ ufrag, pwd })
    expect(decoded.candidates.map(({ type, address, priority }) => [type, `${address}`, priority])).toEqual(
      offer.candidates.map(({ type, address, priority }) => [type, `${address}`, priority]),
    )
    expect(decoded.server).toBe(offer.server)
    const { udp4 } = decoded.network.families
    expect(udp4?.nat).toMatchObject({
      mapping: { value: 'APDM' },
      filtering: { value: 'APDF' },
      allocation: { value: 'sequential' },
    })
    expect(udp4?.mapped).toEqual(offer.network.families.udp4?.mapped)
    expect(udp4?.local).toEqual(offer.network.families.udp4?.local)
  })

  it('may be broken over lines', async () => {
    const code = encodePunchCode(await offerOf())
    expect(typeof decodePunchCode(code.replace(/(.{40})/g, '$1\n  '))).toBe('object')
  })

  it('that is cut off anywhere or has a wrong letter is not taken', async () => {
    const code = encodePunchCode(await offerOf())
    for (let length = 0; length < code.length; length++) {
      expect(['not-a-code', 'incomplete', 'damaged']).toContain(decodePunchCode(code.slice(0, length)))
    }
    for (let i = 4; i < code.length - 1; i++) {
      const other = code[i] === 'A' ? 'B' : 'A'
      expect(typeof decodePunchCode(code.slice(0, i) + other + code.slice(i + 1)), `${i}`).toBe('string')
    }
  })

  it.each([
    ['', 'not-a-code'],
    ['hello', 'not-a-code'],
    ['tp1.!!!', 'not-a-code'],
    ['tp2.AAAA', 'other-version'],
    ['tp1.AAAA', 'incomplete'],
  ])('%j is none: %s', (text, fault) => expect(decodePunchCode(text)).toBe(fault))
})

describe('the screen of turnpike punch', () => {
  const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
  const isReport = ajv.compile(JSON.parse(readFileSync('docs/schemas/punch-1.schema.json', 'utf8')))

  it.each([
    ['connected', nats[2]!, nats[2]!],
    ['not-connected', nats[2]!, nats[8]!],
  ] as const)('%s', async (name, x, y) => {
    const [report] = await punch([{ kind: x }, { kind: y }])
    const text = render(punchScreen(report), person)
    await expect(text).toMatchFileSnapshot(`golden/punch-${name}.txt`)
    for (const line of text.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
    expect(isReport(JSON.parse(JSON.stringify(report))), JSON.stringify(isReport.errors)).toBe(true)
  })

  it('hides addresses on demand', async () => {
    const [report] = await punch([{ kind: nats[2]! }, { kind: nats[2]! }])
    const hidden = JSON.parse(JSON.stringify(anonymizedPunch(report)))
    expect(JSON.stringify(hidden)).not.toMatch(/20\.0\.0|192\.168/)
    expect(isReport(hidden), JSON.stringify(isReport.errors)).toBe(true)
    const text = render(punchScreen(hidden, { verbose: true }), person)
    expect(text).toContain('✓ works')
  })

  it('has one record a line with --plain', async () => {
    const [report] = await punch([{ kind: nats[2]! }, { kind: nats[2]! }])
    const text = render(punchScreen(report), { ...person, isPlain: true })
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^[a-z0-9-]+: \S/)
  })
})

describe('a code that is pasted', () => {
  const offered = async () => {
    const { a, b } = await twoSides([{ kind: nats[2]! }, { kind: nats[2]! }])
    a.close()
    b.close()
    return encodePunchCode(b.offer)
  }
  const paste = (texts: readonly string[]) => {
    const input = new PassThrough()
    let written = ''
    const output = new PassThrough().on('data', (chunk) => {
      written += chunk
    })
    const signal = new AbortController().signal
    const offer = pastedMeeting(undefined, input, output, signal).exchange('tp1.ours')
    for (const text of texts) input.write(text)
    return { offer, input, said: () => written }
  }

  it('is taken when the terminal has broken it', async () => {
    const code = await offered()
    const { offer } = paste([`${code.slice(0, 50)}\n${code.slice(50, 90)}\n`, `${code.slice(90)}\n`])
    expect((await offer).credentials.ufrag).toHaveLength(8)
  })

  it('may be tried again after something else', async () => {
    const code = await offered()
    const { offer, said } = paste(['hello\n', 'tp9.AAAA\n', `${code.slice(0, 40)}\n`, `${code}\n`])
    expect((await offer).credentials.ufrag).toHaveLength(8)
    expect(said()).toMatch(/that is no code[\s\S]*another version/)
  })

  it('that never comes is said, when the input ends', async () => {
    const { offer, input } = paste([])
    input.end()
    await expect(offer).rejects.toThrow('the input ended before the other code was there')
  })
})

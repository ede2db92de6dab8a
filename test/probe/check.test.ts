/** `checkTurn` against servers with a fault each: the fault is named, with its cure, and nothing is left behind. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { exitCodeOfCheck } from '../../src/cli/check.ts'
import { nagiosOf, prometheusOf } from '../../src/cli/check-monitoring.ts'
import { checkScreen } from '../../src/cli/check-screen.ts'
import { checkRequirements, parseRequirements } from '../../src/cli/requirements.ts'
import { render } from '../../src/cli/screen/render.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { openTurn } from '../../src/net/turn-connection.ts'
import { anonymizedCheck } from '../../src/probe/anonymize.ts'
import { cures } from '../../src/probe/check/cures.ts'
import { guardedPeers } from '../../src/probe/check/policy.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { mintCredentials } from '../../src/turn/shared-secret.ts'
import { alice, type CheckWorldOptions, checkWorld, epochSeconds, name } from '../support/check-world.ts'

const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isCheck = ajv.compile(JSON.parse(readFileSync('docs/schemas/check-1.schema.json', 'utf8')))
const text = new TextEncoder()

/** Somebody else who holds an allocation, so that there is none left. */
const occupied: CheckWorldOptions['prepare'] = async (internet, server) => {
  const client = internet.host()
  await internet.until(
    new Promise<void>((resolve) => {
      openTurn(
        client,
        { transport: 'udp', server: { address: server.address(3478), name: undefined }, credentials: alice },
        { event: ({ type }) => type === 'allocated' && resolve(), data: () => {} },
      )
    }),
  )
}

/** A server that knows Binding and nothing else. */
const stunOnly: CheckWorldOptions['prepare'] = (_, server) => {
  const socket = server.bindUdp(
    { address: server.address(3400) },
    {
      bound: () => {},
      failed: () => {},
      sendFailed: () => {},
      datagram: (bytes, source) => {
        const message = decodeMessage(bytes)
        if (typeof message === 'string' || message.method !== 'Binding') return
        const mapped = TransportAddress.from(source)
        const { transactionId } = message
        const attributes = [['XOR-MAPPED-ADDRESS', mapped] as const]
        socket.send(encodeMessage({ class: 'success', method: 'Binding', transactionId, attributes }), mapped)
      },
    },
  )
}

/** Behind a 1:1 NAT, of which it was told nothing. */
const inCloud: CheckWorldOptions['server'] = (internet) => {
  const cloud = internet.staticNat()
  const host = cloud.host()
  internet.name(name, { A: [cloud.externalAddressOf(host).ip] })
  return host
}

const udp = [['udp', 3478]] as [string, number][]
const days = 86_400

/** The fault by its code, and what the process ends with. */
const faults: [string, CheckWorldOptions, string, number][] = [
  ['a wrong password', { check: { credentials: { ...alice, password: 'wrong' } } }, 'credentials-refused', 5],
  ['an unknown user', { check: { credentials: { ...alice, username: 'bob' } } }, 'credentials-refused', 5],
  ['no credentials', { check: { credentials: undefined } }, 'credentials-missing', 5],
  [
    'a name whose time is over',
    {
      config: { users: [], secrets: [text.encode('north')] },
      check: { credentials: { username: `${epochSeconds - 3 * days}:alice`, password: 'any' } },
    },
    'credentials-expired',
    5,
  ],
  ['a closed port', { listen: udp, uris: [`turn:${name}?transport=tcp`] }, 'port-closed', 4],
  [
    'a closed UDP port, as the system tells it',
    { listen: udp, uris: [`turn:${name}:3400`], check: { isRefused: async () => true } },
    'port-closed',
    4,
  ],
  ['a silent port', { listen: udp, uris: [`turn:${name}:3400`] }, 'no-answer', 4],
  [
    'UDP that is blocked',
    { client: (internet) => internet.nat({ outbound: 'udp-dropped' }).host(), listen: udp },
    'no-answer',
    4,
  ],
  ['a name that is not there', { uris: ['turn:nowhere.example.net'] }, 'name-not-found', 4],
  [
    'an expired certificate',
    { uris: [`turns:${name}`], certificate: { validTo: epochSeconds - 3 * days } },
    'certificate-expired',
    1,
  ],
  [
    'a certificate of tomorrow',
    { uris: [`turns:${name}`], certificate: { validFrom: epochSeconds + days } },
    'certificate-not-yet-valid',
    1,
  ],
  [
    'a certificate for somebody else',
    { uris: [`turns:${name}`], certificate: { names: ['other.example.net'] } },
    'certificate-name',
    1,
  ],
  [
    'a certificate that nobody vouches for',
    { uris: [`turns:${name}`], certificate: { selfSigned: true } },
    'certificate-untrusted',
    1,
  ],
  ['plain TCP on the TLS port', { uris: [`turns:${name}:3478`] }, 'not-tls', 1],
  ['TLS on the TCP port', { uris: [`turn:${name}:5349?transport=tcp`] }, 'not-plain', 1],
  ['a server that does not relay', { uris: [`turn:${name}:3400`], prepare: stunOnly }, 'no-turn', 1],
  [
    'a quota that is used up',
    { listen: udp, config: { userQuota: 1 }, prepare: occupied },
    'quota-reached',
    1,
  ],
  [
    'no relay port that is left',
    { listen: udp, config: { relayPorts: { min: 50_000, max: 50_000 } }, prepare: occupied },
    'no-capacity',
    1,
  ],
  ['a private relay address', { listen: udp, server: inCloud }, 'relay-private', 1],
  [
    'relay ports that are closed',
    {
      listen: udp,
      // One allocation only, so that the echo has to leave the server.
      config: { userQuota: 1 },
      prepare: (internet) =>
        internet.intercept(({ source, destination }) => source.port < 49_152 || destination.port === 3478),
    },
    'echo-silent',
    1,
  ],
  [
    'a private peer that is let in',
    { listen: udp, config: { allowPeers: [parseAddressRange('10.0.0.0/8')] }, check: { policy: true } },
    'peer-allowed',
    1,
  ],
]

describe('a check names', () => {
  it.each(faults)('%s', async (_, options, code, exit) => {
    const { report } = await checkWorld({ ...options, check: { otherPlaces: [], ...options.check } })
    expect(report.problems.map((one) => one.code)).toContain(code)
    const problem = report.problems.find((one) => one.code === code)!
    expect(problem.severity).toBe('error')
    expect(problem.fix).toMatch(/^[A-Z].*\.$/)
    expect(report.ok).toBe(false)
    expect(exitCodeOfCheck(report, [])).toBe(exit)
    expect(nagiosOf(report)).toMatchObject({ code: 2, line: expect.stringContaining(problem.what) })
    expect(isCheck(JSON.parse(JSON.stringify(report))), JSON.stringify(isCheck.errors)).toBe(true)
    const screen = render(checkScreen(report, { verbose: true }), person)
    for (const line of screen.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
    expect(screen).not.toContain('wonder')
  })

  it('every fault that it knows, or the test below does', () => {
    const tested = [...faults.map(([, , code]) => code), ...warnings.map(([, , code]) => code)]
    const others = [
      // Of servers that break the protocol, or of networks that break connections: no server of ours does.
      ...['allocation-rejected', 'answers-not-signed', 'channel-refused', 'connection-lost', 'forbidden'],
      ...['no-challenge', 'not-released', 'tls-failed', 'transport-unsupported', 'peers-refused', 'no-route'],
      'echo-lossy',
    ]
    expect([...tested, ...others].sort().filter((code, i, all) => code !== all[i - 1])).toEqual(
      Object.keys(cures).sort(),
    )
  })
})

it('docs/check.md lists every fault, and no other', () => {
  const listed = [...readFileSync('docs/check.md', 'utf8').matchAll(/^\| `([a-z-]+)` \|/gm)].map(
    ([, code]) => code,
  )
  expect(listed.sort()).toEqual(Object.keys(cures).sort())
})

const warnings: [string, CheckWorldOptions, string][] = [
  [
    'a certificate that expires soon',
    { uris: [`turns:${name}`], certificate: { validTo: epochSeconds + 5 * days } },
    'certificate-expires-soon',
  ],
  ['an open relay', { config: { users: [], noAuth: true }, listen: udp }, 'open-relay'],
]

describe('a check warns of', () => {
  it.each(warnings)('%s', async (_, options, code) => {
    const { report } = await checkWorld({ ...options, check: { otherPlaces: [] } })
    expect(report.problems).toMatchObject([{ code, severity: 'warning' }])
    expect([report.ok, exitCodeOfCheck(report, []), nagiosOf(report).code]).toEqual([true, 0, 1])
  })
})

describe('a check of a good server', () => {
  it('takes every step of every transport, and gives back what it was granted', async () => {
    const { report, internet } = await checkWorld()
    expect(report).toMatchObject({ ok: true, problems: [], isPartial: false })
    const offered = report.transports.filter(({ ok }) => ok === true)
    expect(offered.map(({ transport, port }) => `${transport} ${port}`)).toEqual([
      'udp 3478',
      'tcp 3478',
      'tls 5349',
      'tls 443',
    ])
    expect(offered[2]!.steps.map(({ step }) => step)).toEqual([
      ...['resolve', 'connect', 'tls', 'challenge', 'allocate', 'allocate-other-family'],
      ...['permission', 'channel', 'echo', 'release'],
    ])
    // Both ways take 20 ms, and the relay is one host.
    for (const { echo } of offered)
      expect(echo).toMatchObject({ by: 'relay', p50Ms: 40, loss: 0, jitterMs: 0 })
    expect(report.transports.find(({ port, transport }) => port === 3478 && transport === 'tls')?.ok).toBe(
      null,
    )
    await internet.runAsync({ for: 5000 })
  })

  it('leaves no allocation behind', async () => {
    // With room for one more, the next client would be refused if something were.
    const { report } = await checkWorld({ config: { userQuota: 2 } })
    expect(report.ok).toBe(true)
    expect(report.transports.filter(({ ok }) => ok === true)).toHaveLength(4)
  })

  it('with one allocation a user sends through the relay to a socket of its own', async () => {
    const { report } = await checkWorld({ config: { userQuota: 1 }, listen: udp, check: { otherPlaces: [] } })
    expect(report).toMatchObject({ ok: true, problems: [] })
    expect(report.transports[0]!.echo).toMatchObject({ by: 'socket', received: 20, p50Ms: 40 })
  })

  it('with addresses of both families has a relay of each', async () => {
    const families = ['IPv4', 'IPv6'] as const
    const { report } = await checkWorld({
      families,
      client: (internet) => internet.host(),
      listen: udp,
      check: { otherPlaces: [] },
    })
    expect(report.transports[0]!.relayed.IPv4).toMatch(/^20\./)
    expect(report.transports[0]!.relayed.IPv6).toMatch(/^\[2600:/)
  })

  it('accepts time-limited credentials', async () => {
    const { report } = await checkWorld({
      config: { users: [], secrets: [text.encode('north')] },
      listen: udp,
      check: {
        otherPlaces: [],
        credentials: mintCredentials('north', 'alice', epochSeconds + 600),
      },
    })
    expect(report.ok).toBe(true)
  })

  it('refuses every peer that it has to, and is told so', async () => {
    const { report } = await checkWorld({ listen: udp, check: { otherPlaces: [], policy: true } })
    const asked = guardedPeers.filter(([, peer]) => !peer.includes(':'))
    expect(report.policy!.filter(({ refused }) => refused === true)).toHaveLength(asked.length)
    expect(report.policy!.filter(({ refused }) => refused === false)).toEqual([])
    expect(report.ok).toBe(true)
  })

  it('says when it was broken off, with what it knew by then', async () => {
    const { report } = await checkWorld({ check: { limitMs: 400 } })
    expect(report).toMatchObject({ isPartial: true, ok: null })
    expect(exitCodeOfCheck(report, [])).toBe(3)
    expect(isCheck(JSON.parse(JSON.stringify(report))), JSON.stringify(isCheck.errors)).toBe(true)
  })
})

describe('--require', () => {
  const parse = parseRequirements(checkRequirements, ['rtt', 'loss', 'cert'])
  it.each([
    ['turn-udp,turn-tcp,turn-tls,turn-tls443,rtt<80ms,loss<1%,cert>14d', 0],
    ['rtt<30ms', 1],
    ['ipv6', 1],
    ['cert>99999d', 1],
  ])('%s ends with %d', async (required, code) => {
    const { report } = await checkWorld()
    expect(exitCodeOfCheck(report, parse(required))).toBe(code)
  })

  it('is not known where there is nothing to judge by', async () => {
    const { report } = await checkWorld({ listen: udp })
    expect(exitCodeOfCheck(report, parse('cert>14d'))).toBe(3)
    expect(exitCodeOfCheck(report, parse('turn-tls'))).toBe(1)
  })
})

describe('the screen of turnpike check', () => {
  const screens: [string, CheckWorldOptions, boolean][] = [
    ['good', { check: { policy: true } }, false],
    ['verbose', { listen: udp, check: { otherPlaces: [] } }, true],
    ['wrong-password', { check: { credentials: { ...alice, password: 'wrong' } } }, false],
    ['expired', { uris: [`turns:${name}`], certificate: { validTo: epochSeconds - 3 * days } }, false],
    ['plain-on-tls', { uris: [`turns:${name}:3478`], listen: [['tcp', 3478]] }, false],
    ['closed', { uris: [`turn:${name}?transport=tcp`], listen: udp }, false],
    ['private-relay', { listen: udp, server: inCloud }, false],
  ]
  it.each(screens)('%s', async (title, options, verbose) => {
    const { report } = await checkWorld(options)
    const screen = render(checkScreen(report, { verbose }), person)
    await expect(screen).toMatchFileSnapshot(`golden/check-${title}.txt`)
    for (const line of screen.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('is one record a line with --plain', async () => {
    const { report } = await checkWorld()
    const screen = render(checkScreen(report, { verbose: false }), { ...person, isPlain: true })
    await expect(screen).toMatchFileSnapshot('golden/check-plain.txt')
    for (const line of screen.trimEnd().split('\n')) expect(line).toMatch(/^[a-z0-9-]+: \S/)
  })

  it('shows neither addresses nor names when it is anonymized', async () => {
    const { report } = await checkWorld({ uris: [`turns:${name}`] })
    const hidden = JSON.stringify(anonymizedCheck(report))
    expect(hidden).not.toMatch(/example|20\.0\.0\.\d/)
    expect(isCheck(JSON.parse(hidden)), JSON.stringify(isCheck.errors)).toBe(true)
  })
})

describe('for machines that watch', () => {
  it('there is one line with performance data', async () => {
    const { report } = await checkWorld({ uris: [`turns:${name}`] })
    expect(nagiosOf(report).line).toBe(
      'TURN OK - It relays. | rtt=40ms;;;0 rtt_p95=40ms;;;0 jitter=0ms;;;0 loss=0%;;;0;100 cert_days=26648;14:;0:\n',
    )
  })

  it('there are metrics', async () => {
    const { report } = await checkWorld({ listen: udp })
    await expect(prometheusOf(report)).toMatchFileSnapshot('golden/check-metrics.txt')
  })
})

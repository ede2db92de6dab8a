/** `turnpike check` on real sockets: turnpike, coturn, and servers that are broken, each named with its cure. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { CheckReport } from '../../src/probe/check/report.ts'
import { isUdpPortClosed, sendOnce } from '../../src/probe/one-shot-udp.ts'
import { CertificateFolder, type TestCertificate } from '../support/certificates.ts'
import { type Coturn, startCoturn } from '../support/coturn-server.ts'
import { type Child, missingPrograms, startCli } from '../support/programs.ts'
import { quietPorts } from '../support/quiet-ports.ts'
import { RealClient, startEchoPeer } from '../support/real-client.ts'
import { runMain } from '../support/run-main.ts'

const coturn = missingPrograms('check against coturn', ['turnserver'], 'apt-get install coturn')

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const isCheck = ajv.compile(JSON.parse(readFileSync('docs/schemas/check-1.schema.json', 'utf8')))

const folder = mkdtempSync(join(tmpdir(), 'turnpike-check-'))
const certificates = new CertificateFolder()
const password = join(folder, 'password')
const wrong = join(folder, 'wrong')
writeFileSync(password, 'wonder\n', { mode: 0o600 })
writeFileSync(wrong, 'wander\n', { mode: 0o600 })

afterAll(() => {
  certificates.remove()
  rmSync(folder, { recursive: true })
})

const children: Child[] = []
afterAll(() => Promise.all(children.map((child) => child.stop('SIGKILL'))))

interface Server {
  readonly child: Child
  readonly udp: number
  readonly tcp: number
  readonly tls: number
}

async function serve(certificate: TestCertificate, ...flags: readonly string[]): Promise<Server> {
  const child = startCli(
    [
      ...['serve', '--user', 'alice:wonder', '--log-level', 'silent'],
      ...['udp', 'tcp', 'tls'].flatMap((transport) => ['--listen', `${transport}://127.0.0.1:0`]),
      ...['--tls-cert', certificate.certificateFile, '--tls-key', certificate.keyFile],
      ...flags,
    ],
    { timeoutSeconds: 600 },
  )
  children.push(child)
  const [line] = await child.waitFor(/^\{"event":"listening".*\}$/m)
  const listeners = JSON.parse(line).listeners as { transport: string; port: number }[]
  const portOf = (transport: string) => listeners.find((one) => one.transport === transport)!.port
  return { child, udp: portOf('udp'), tcp: portOf('tcp'), tls: portOf('tls') }
}

const login = ['--user', 'alice', '--password-file', password]

async function check(...args: readonly string[]): Promise<{ code: number; report: CheckReport }> {
  const { code, stdout, stderr } = await runMain(['check', '--exact', '--json', '--timeout', '300', ...args])
  expect(stdout, stderr).toMatch(/^\{/)
  const report = JSON.parse(stdout)
  expect(isCheck(report), JSON.stringify(isCheck.errors)).toBe(true)
  expect(stdout + stderr).not.toMatch(/wonder|wander/)
  return { code, report }
}

/** Errors: a busy machine may lose a packet, which is worth a warning. */
const codesOf = ({ problems }: CheckReport) =>
  problems.flatMap(({ code, severity }) => (severity === 'error' ? [code] : []))

describe('turnpike check', { timeout: 240_000 }, () => {
  let server: Server
  let certificate: TestCertificate

  beforeAll(async () => {
    certificate = certificates.make('localhost')
    server = await serve(certificate)
  })

  afterAll(() => server.child.stop())

  it('finds that turnpike relays by UDP, TCP and TLS, and refuses what it has to', async () => {
    const { code, report } = await check(
      ...[`turn:127.0.0.1:${server.udp}`, `turn:127.0.0.1:${server.tcp}?transport=tcp`],
      ...[`turns:localhost:${server.tls}`, ...login, '--ca', certificate.certificateFile, '--policy'],
    )
    expect(codesOf(report)).toEqual([])
    expect([code, report.ok]).toEqual([0, true])
    for (const { echo, steps } of report.transports) {
      expect(echo).toMatchObject({ by: 'relay', sent: 20 })
      expect(echo!.received).toBeGreaterThan(0)
      expect(steps.at(-1)).toMatchObject({ step: 'release', ok: true })
    }
    expect(report.transports[2]!.certificate).toMatchObject({
      name: 'localhost',
      daysLeft: 29,
      problem: null,
    })
    expect(report.policy!.filter(({ refused }) => refused === false)).toEqual([])
  })

  it('looks at the other transports of the port too, unless told otherwise', async () => {
    const { stdout } = await runMain([
      'check',
      `turn:127.0.0.1:${server.tcp}?transport=tcp`,
      ...login,
      '--json',
    ])
    const { transports } = JSON.parse(stdout) as CheckReport
    const places = transports.map(({ transport, port }) => `${transport} ${port}`)
    for (const place of [`udp ${server.tcp}`, `tls ${server.tcp}`, 'udp 3478', 'tls 443']) {
      expect(places).toContain(place)
    }
  })

  const broken: [string, () => readonly string[], string, number][] = [
    [
      'a wrong password',
      () => [`turn:127.0.0.1:${server.udp}`, '-u', 'alice', '--password-file', wrong],
      'credentials-refused',
      5,
    ],
    ['no credentials', () => [`turn:127.0.0.1:${server.udp}`], 'credentials-missing', 5],
    ['plain TCP on the TLS port', () => [`turns:localhost:${server.tcp}`, ...login], 'not-tls', 1],
    ['TLS on the TCP port', () => [`turn:localhost:${server.tls}?transport=tcp`, ...login], 'not-plain', 1],
    [
      'a certificate that nobody vouches for',
      () => [`turns:localhost:${server.tls}`, ...login],
      'certificate-untrusted',
      1,
    ],
    ['a name that is not there', () => ['turn:turnpike.invalid', ...login], 'name-not-found', 4],
  ]
  it.each(broken)('names %s', async (_, args, problem, exit) => {
    const { code, report } = await check(...args())
    expect(codesOf(report)).toContain(problem)
    expect(code).toBe(exit)
  })

  it('names closed ports of UDP and TCP', async () => {
    const port = await quietPorts(2)
    const { code, report } = await check(
      `turn:127.0.0.1:${port}`,
      `turn:127.0.0.1:${port}?transport=tcp`,
      ...login,
    )
    expect(codesOf(report)).toEqual(['port-closed', 'port-closed'])
    expect(code).toBe(4)
  })

  it('names an expired certificate', async () => {
    const expired = certificates.makeExpired('localhost')
    const old = await serve(expired)
    const { code, report } = await check(
      `turns:localhost:${old.tls}`,
      ...login,
      '--ca',
      expired.certificateFile,
    )
    await old.child.stop()
    expect(codesOf(report)).toEqual(['certificate-expired'])
    expect(report.problems[0]!.fix).toContain('Renew the certificate of localhost')
    expect(code).toBe(1)
  })

  it('names a quota that is used up, and a relay address that is private', async () => {
    const small = await serve(certificate, '--user-quota', '1', '--external-address', '10.1.2.3')
    const client = new RealClient({
      transport: 'udp',
      server: { address: TransportAddress.of('127.0.0.1', small.udp), name: undefined },
      credentials: { username: 'alice', password: 'wonder' },
    })
    await client.until('allocated')
    const full = await check(`turn:127.0.0.1:${small.udp}`, ...login)
    await client.close()
    const free = await check(`turn:127.0.0.1:${small.udp}`, ...login)
    await small.child.stop()
    expect(codesOf(full.report)).toEqual(['quota-reached'])
    expect(full.report.problems[0]!.fix).toContain('--user-quota')
    expect(codesOf(free.report)).toContain('relay-private')
    expect([full.code, free.code]).toEqual([1, 1])
  })

  it('logs in with a secret, from a file', async () => {
    const secret = join(folder, 'secret')
    writeFileSync(secret, 'north\n', { mode: 0o600 })
    const rest = await serve(certificate, '--secret-file', secret)
    const { code, report } = await check(`turn:127.0.0.1:${rest.udp}`, '--secret-file', secret)
    await rest.child.stop()
    expect([code, codesOf(report)]).toEqual([0, []])
  })

  it('prints a line for Nagios and metrics for Prometheus', async () => {
    const args = ['check', '--exact', `turn:127.0.0.1:${server.udp}`, ...login]
    const nagios = await runMain([...args, '--nagios'])
    expect(nagios.stdout).toMatch(
      /^TURN (OK|WARNING) - It relays\..* \| rtt=[\d.]+ms;;;0 .*loss=[\d.]+%;;;0;100\n$/,
    )
    expect(nagios.code).toBe(nagios.stdout.startsWith('TURN OK') ? 0 : 1)
    expect((await runMain([...args.slice(0, 3), '--nagios'])).code).toBe(2)
    expect((await runMain([...args, '--prometheus'])).stdout).toMatch(/^turnpike_check_up\{.*\} 1$/m)
  })

  it('prints what it knows at Ctrl-C, and ends with 130', async () => {
    const silent = createSocket('udp4')
    silent.bind(0, '127.0.0.1')
    await once(silent, 'listening')
    const child = startCli([
      'check',
      '--exact',
      `turn:127.0.0.1:${silent.address().port}`,
      ...login,
      '--json',
    ])
    await once(silent, 'message')
    const { code, stdout } = await child.stop('SIGINT')
    silent.close()
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ isPartial: true, ok: null })
  })

  it.each([
    [['check'], /missing required argument 'turn-uri'/],
    [['check', 'stun:example.org'], /write turn:example\.org/],
    [['check', 'turn:example.org', '--password-file', password], /--user and --password-file come together/],
    [
      ['check', 'turn:example.org', '-u', 'me', '--password-file', join(folder, 'none')],
      /cannot be read \(ENOENT\)/,
    ],
    [['check', 'turn:example.org', '-u', 'me', '--password-file', '/dev/null'], /"\/dev\/null" is empty/],
    [['check', 'turn:example.org', '--require', 'rtt<fast'], /none of turn-udp, .*rtt<80ms/],
  ])('refuses %s', async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })

  // To a machine that watches, 2 is CRITICAL.
  it.each([
    [['--json'], /cannot be used with/],
    [['--timeout', 'soon'], /"soon" is not a whole number of seconds/],
    [['--ca', '/nowhere'], /--ca "\/nowhere" cannot be read/],
  ])('is UNKNOWN to Nagios with %s', async (args, message) => {
    const { code, stdout, stderr } = await runMain(['check', 'turn:127.0.0.1', '--nagios', ...args])
    expect(stderr).toMatch(message)
    expect(stdout).toMatch(/^TURN UNKNOWN - .*\n$/)
    expect(stdout).toMatch(message)
    expect(code).toBe(3)
  })
})

describe.skipIf(coturn.length > 0)('turnpike check of coturn', { timeout: 240_000 }, () => {
  let server: Coturn
  afterEach(() => server.stop())

  it('finds that it relays by every transport', async () => {
    server = await startCoturn()
    const { code, report } = await check(
      ...[`turn:127.0.0.1:${server.port}`, `turn:127.0.0.1:${server.port}?transport=tcp`],
      ...[`turns:127.0.0.1:${server.tlsPort}`, ...login, '--ca', server.certificate.certificateFile],
    )
    expect(codesOf(report)).toEqual([])
    expect(code).toBe(0)
    expect(report.transports[0]!.software).toMatch(/Coturn/)
    for (const { echo } of report.transports) expect(echo).toMatchObject({ by: 'relay', sent: 20 })
  })

  it('finds that its defaults let private peers in', async () => {
    server = await startCoturn()
    const { code, report } = await check(`turn:127.0.0.1:${server.port}`, ...login, '--policy')
    expect(code).toBe(1)
    const allowed = report.policy!.filter(({ refused }) => refused === false).map(({ peer }) => peer)
    expect(allowed).toContain('192.168.0.1')
    expect(allowed).toContain('169.254.169.254')
  })

  it('names its quota and a wrong password', async () => {
    server = await startCoturn(['--user-quota=1'])
    const uri = `turn:127.0.0.1:${server.port}`
    const client = new RealClient({
      transport: 'udp',
      server: { address: TransportAddress.of('127.0.0.1', server.port), name: undefined },
      credentials: { username: 'alice', password: 'wonder' },
    })
    await client.until('allocated')
    const full = await check(uri, ...login)
    const refused = await check(uri, '-u', 'alice', '--password-file', wrong)
    await client.close()
    expect(codesOf(full.report)).toEqual(['quota-reached'])
    expect(codesOf(refused.report)).toEqual(['credentials-refused'])
    expect([full.code, refused.code]).toEqual([1, 5])
  })

  it('names its private relay address', async () => {
    server = await startCoturn(['-X', '10.1.2.3'])
    const { code, report } = await check(`turn:127.0.0.1:${server.port}`, ...login)
    expect(codesOf(report)).toContain('relay-private')
    expect(code).toBe(1)
  })
})

describe('one datagram', () => {
  it('is answered, or refused where nothing listens, or met with silence', async () => {
    const peer = await startEchoPeer()
    const bytes = new Uint8Array([1, 2, 3])
    expect(await sendOnce(peer.address, bytes, 60_000)).toEqual({
      type: 'answered',
      bytes: Buffer.from(bytes),
    })
    expect(await isUdpPortClosed(peer.address)).toBe(false)
    peer.close()
    const closed = TransportAddress.of('127.0.0.1', await quietPorts(2))
    expect(await sendOnce(closed, bytes, 60_000)).toEqual({ type: 'refused', reason: 'ECONNREFUSED' })
    expect(await isUdpPortClosed(closed)).toBe(true)
  })

  it('that cannot be sent is refused with the reason of the system', async () => {
    const longest = new Uint8Array(70_000)
    const peer = await startEchoPeer()
    expect(await sendOnce(peer.address, longest, 60_000)).toMatchObject({
      type: 'refused',
      reason: 'EMSGSIZE',
    })
    peer.close()
  })
})

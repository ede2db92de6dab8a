/** `turnpike load` as a user runs it: against our server and coturn, and what it refuses. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LoadReport } from '../../src/load/report.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { type Coturn, startCoturn } from '../support/coturn-server.ts'
import { type Child, type Ended, missingPrograms, start, startCli } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-load-'))
const passwordFile = join(folder, 'password')
const secretFile = join(folder, 'secret')
writeFileSync(passwordFile, 'wonder\n')
writeFileSync(secretFile, 'north\n')
afterAll(() => rmSync(folder, { recursive: true }))

const asAlice = ['--user', 'alice', '--password-file', passwordFile]
/** Little enough for the slowest machine. */
const short = ['--flows', '6', '--rate', '200', '--seconds', '1']

function load(uri: string, ...flags: readonly string[]): Promise<Ended> {
  return startCli(['load', uri, ...flags]).ended
}

function reportOf({ code, stdout, stderr }: Ended): LoadReport {
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

/** UDP may lose packets on a machine that is busy, though not all of them. */
function expectTraffic({ traffic, allocations, isPartial }: LoadReport): void {
  expect(allocations.made).toBe(6)
  expect(isPartial).toBe(false)
  for (const way of [traffic!.up!, traffic!.down!]) {
    expect(way.sent).toBeGreaterThan(0)
    expect(way.received).toBeGreaterThan(way.sent / 2)
    expect(way.received).toBeLessThanOrEqual(way.sent)
  }
  expect(traffic!.latencyMs!.p50).toBeGreaterThan(0)
}

describe('turnpike load against turnpike serve', () => {
  const certificates = new CertificateFolder()
  const transports = ['udp', 'tcp', 'tls'] as const
  let server: Child
  let ports: Record<(typeof transports)[number], number>

  beforeAll(async () => {
    const certificate = certificates.make('turn.example.org')
    server = startCli([
      'serve',
      ...transports.flatMap((transport) => ['--listen', `${transport}://127.0.0.1:0`]),
      ...['--tls-cert', certificate.certificateFile, '--tls-key', certificate.keyFile],
      ...['--user', 'alice:wonder', '--secret-file', secretFile, '--allow-peer', '127.0.0.0/8'],
      ...['--user-quota', '6'],
    ])
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    const { listeners } = JSON.parse(line) as {
      listeners: { transport: (typeof transports)[number]; port: number }[]
    }
    ports = Object.fromEntries(listeners.map(({ transport, port }) => [transport, port])) as typeof ports
  })

  afterAll(async () => {
    const ended = await server?.stop()
    certificates.remove()
    expect(ended?.code, ended?.stderr).toBe(0)
  })

  it.each(transports)(
    'relays by %s, and frees its allocations, for the quota is of as many',
    async (transport) => {
      const flags = [...asAlice, ...short, '--transport', transport, '--json']
      const report = reportOf(await load(`turn:127.0.0.1:${ports[transport]}`, ...flags))
      expectTraffic(report)
      expect(report.server.transport).toBe(transport)
    },
  )

  it('tells what a packet and an allocation cost the server', async () => {
    const flags = [...asAlice, ...short, '--pid', `${server.process.pid}`, '--json', '--interleave']
    const { process: cost } = reportOf(await load(`turn:127.0.0.1:${ports.udp}`, ...flags))
    if (process.platform !== 'linux') return
    expect(cost!.cpuMicrosecondsPerPacket).toBeGreaterThan(0)
    expect(cost!.residentBytes).toBeGreaterThan(10_000_000)
  })

  it('sends over node:dgram where node:ffi is denied, and says so', async () => {
    const node = ['--permission', '--allow-fs-read=*', '--allow-net', 'bin/turnpike.ts']
    const args = ['load', `turn:127.0.0.1:${ports.udp}`, ...asAlice, ...short, '--json']
    const ended = await start(process.execPath, [...node, ...args]).ended
    const report = reportOf(ended)
    expectTraffic(report)
    expect(report.io).toMatchObject({ driver: 'dgram', because: expect.stringMatching(/node:ffi|Linux/) })
    expect(ended.stderr).toMatch(/by UDP, with dgram \(/)
  })

  it('makes its name of a secret, says first what it will send, and shows a screen', async () => {
    const { code, stdout, stderr } = await load(
      `turn:127.0.0.1:${ports.udp}`,
      ...['--secret-file', secretFile, '--allocations-only', '--flows', '6'],
    )
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/^turnpike load: 6 allocations and no data; to 127\.0\.0\.1:\d+ by UDP, with /m)
    expect(stdout).toMatch(/^verdict: 6 of 6 allocations stood, [\d,]+ a second\.$/m)
  })

  it('ends with 1 when the quota is reached, with the cure', async () => {
    const { code, stdout } = await load(`turn:127.0.0.1:${ports.udp}`, ...asAlice, '--flows', '9')
    expect(code).toBe(1)
    expect(stdout).toMatch(/486 Allocation Quota Reached[\s\S]*--user-quota/)
  })

  it('ends with 5 when the password is wrong', async () => {
    const { code, stdout } = await load(
      `turn:127.0.0.1:${ports.udp}`,
      ...['--user', 'alice', '--password-file', secretFile],
    )
    expect(code).toBe(5)
    expect(stdout).toMatch(/knows no "alice" with this password/)
  })

  it('ends with 4 when nobody is there', async () => {
    const { code, stdout } = await load('turn:127.0.0.1:1?transport=tcp', ...asAlice)
    expect(code).toBe(4)
    expect(stdout).toMatch(/no connection to 127\.0\.0\.1:1 by TCP \(ECONNREFUSED\)/i)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'tells what is known on %s, and frees its allocations',
    async (signal) => {
      const child = startCli([
        'load',
        `turn:127.0.0.1:${ports.udp}`,
        ...asAlice,
        '--flows',
        '6',
        '--seconds',
        '600',
      ])
      await child.waitFor(/^turnpike load: 6 allocations, then/m)
      const { code, stdout } = await child.stop(signal)
      expect(code).toBe(130)
      expect(stdout).toMatch(/^allocations: \d of 6 /m)
      reportOf(await load(`turn:127.0.0.1:${ports.udp}`, ...asAlice, ...short, '--json'))
    },
  )
})

const missing = missingPrograms('turnpike load with coturn', ['turnserver'], 'apt-get install coturn')

describe.skipIf(missing.length > 0)('turnpike load against coturn', () => {
  let coturn: Coturn
  beforeAll(async () => {
    coturn = await startCoturn()
  })
  afterAll(() => coturn?.stop())

  it('relays by UDP', async () => {
    expectTraffic(reportOf(await load(`turn:127.0.0.1:${coturn.port}`, ...asAlice, ...short, '--json')))
  })
})

describe('turnpike load refuses', () => {
  const here = 'turn:127.0.0.1:3478'
  it.each([
    [['turn:192.0.2.1:3478'], /192\.0\.2\.1:3478 is not loopback.*add --yes if the server is yours/],
    [['stun:127.0.0.1'], /write turn:example\.org or turn:192\.0\.2\.1:3478/],
    [[here, '--flows', '0'], /"0" is not a whole number of flows from 1 to 20000/],
    [[here, '--size', '15'], /"15" is not a whole number of bytes from 16 to 9000/],
    [[here, '--rate', 'fast'], /"fast" is not a whole number of packets a second/],
    [[here, '--direction', 'left'], /Allowed choices are up, down, both/],
    [[here, '--transport', 'sctp'], /Allowed choices are udp, tcp, tls/],
    [['turns:127.0.0.1', '--transport', 'udp'], /is by TLS, and --transport udp is not/],
    [[here, '--user', 'alice'], /--user needs a password: --password-file FILE/],
    [
      [here, '--secret-file', secretFile, '--password-file', passwordFile],
      /--secret-file makes the password itself/,
    ],
    [[here, '--user', 'a', '--password-file', join(folder, 'none')], /none" cannot be read/],
    [[here, '--pid', '4194304'], /--pid 4194304: there is no such process/],
  ])('%s', async (args, message) => {
    const { code, stderr } = await runMain(['load', ...args])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})

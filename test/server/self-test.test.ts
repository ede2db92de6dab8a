/** `turnpike selftest`: each thing that a deployment may lack is found, with what helps. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, it } from 'vitest'
import { render } from '../../src/cli/screen/render.ts'
import { exitCodeOf } from '../../src/cli/selftest.ts'
import { selftestScreen } from '../../src/cli/selftest-screen.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { anonymizedFindings } from '../../src/probe/anonymize.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import { type DeploymentFinding, type DeploymentMachine, testDeployment } from '../../src/server/self-test.ts'
import { startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { keyFile, partnerKeys, partnerWorld } from '../support/partner-world.ts'
import { startCli, startTurnpike } from '../support/programs.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const none = { bound: () => {}, failed: () => {}, datagram: () => {}, sendFailed: () => {} }
const deaf = {
  bound: () => {},
  failed: () => {},
  admit: () => false,
  connection: () => {
    throw new Error('nobody is admitted')
  },
  handshakeFailed: () => {},
  acceptFailed: () => {},
}
const enough = 'Max open files            1048576              1048576              files'
const few = 'Max open files            1024                 4096                 files'
const folder = new CertificateFolder()
afterAll(() => folder.remove())

const first = '20.1.0.1'
const second = '20.1.0.2'

function world(addresses: readonly string[] = [first, second]) {
  const internet = new Internet({ seed: 1 })
  const host = internet.host({ addresses: [...addresses] })
  const machine: DeploymentMachine = { host, limits: enough, mostReceiveBufferBytes: 4_194_304 }
  const config: ServeConfig = {
    ...defaultConfig,
    users: [{ name: 'u', password: 'p' }],
    listen: [{ transport: 'udp', address: TransportAddress.of(first, 3478), isOptional: false }],
  }
  return { internet, host, machine, config }
}

const by = (findings: readonly DeploymentFinding[], check: DeploymentFinding['check']) =>
  findings.find((one) => one.check === check)

describe('a deployment', () => {
  it('that has all it needs has nothing to cure', async () => {
    const { internet, machine, config } = world()
    const whole = { ...config, alternateAddresses: [TransportAddress.of(second, 0)] }
    const findings = await internet.until(testDeployment(whole, machine))
    expect(findings.map(({ check, isOk, cure }) => [check, isOk, cure])).toEqual([
      ['listen', true, null],
      ['receive-buffer', true, null],
      ['relay', true, null],
      ['open-files', true, null],
      ['alternates', true, null],
    ])
    expect(exitCodeOf(findings)).toBe(0)
  })

  it('that runs already is asked', async () => {
    const { internet, host, machine, config } = world()
    const whole = { ...config, alternateAddresses: [TransportAddress.of(second, 0)] }
    await internet.until(startServer(whole, host, quiet))
    const findings = await internet.until(testDeployment(whole, machine))
    expect(by(findings, 'listen')).toMatchObject({ isOk: true, what: 'a server of ours answers there' })
    expect(by(findings, 'alternates')).toMatchObject({
      isOk: true,
      what: 'the running server answers from each',
    })
  })

  it('that runs without the alternate address that is asked for is told apart', async () => {
    const { internet, host, machine, config } = world()
    await internet.until(startServer(config, host, quiet))
    const whole = { ...config, alternateAddresses: [TransportAddress.of(second, 0)] }
    const findings = await internet.until(testDeployment(whole, machine))
    expect(by(findings, 'alternates')).toMatchObject({
      isOk: false,
      what: 'the running server names no alternate address',
    })
    expect(exitCodeOf(findings)).toBe(1)
  })

  it('whose port another program has', async () => {
    const { internet, host, machine, config } = world()
    host.bindUdp({ address: TransportAddress.of(first, 3478) }, none)
    const findings = await internet.until(testDeployment(config, machine))
    const found = by(findings, 'listen')
    expect(found).toMatchObject({ isOk: false, what: 'cannot be opened (EADDRINUSE)' })
    expect(found?.cure).toContain('ss -lnptu')
  })

  it.each([
    ['with other users', { users: [{ name: 'u', password: 'other' }] }, ''],
    ['that names itself', {}, ' (Coturn-4.6.1)'],
  ])('whose port another STUN server has, one %s', async (_, other, named) => {
    const { internet, host, machine, config } = world()
    if (named === '') await internet.until(startServer({ ...config, ...other }, host, quiet))
    else answerAs(host, TransportAddress.of(first, 3478), 'Coturn-4.6.1')
    const found = by(await internet.until(testDeployment(config, machine)), 'listen')
    expect(found).toMatchObject({ isOk: false, what: `another STUN server answers on this port${named}` })
    expect(found?.cure).toContain('ss -lnptu')
  })

  it.each([
    ['a secret', { users: [], secrets: [new Uint8Array([1, 2, 3])] }],
    ['no authentication', { users: [], noAuth: true }],
    ['the key of a password', { users: [{ name: 'u', key: new Uint8Array(16) }] }],
  ])('that runs with %s is known as ours', async (_, credentials) => {
    const { internet, host, machine, config } = world()
    const whole = { ...config, ...credentials }
    await internet.until(startServer(whole, host, quiet))
    const findings = await internet.until(testDeployment(whole, machine))
    expect(by(findings, 'listen')).toMatchObject({ isOk: true, what: 'a server of ours answers there' })
  })

  it('refuses as serve does where a default address is in use, and leaves out one that the machine lacks', async () => {
    const both = world([first, '2001:db8::1'])
    const listen = [
      ...both.config.listen,
      { transport: 'udp' as const, address: TransportAddress.of('::', 3478), isOptional: true },
    ]
    both.host.bindUdp({ address: TransportAddress.of('::', 3478) }, none)
    const busy = await both.internet.until(testDeployment({ ...both.config, listen }, both.machine))
    expect(busy.filter(({ check }) => check === 'listen').map(({ isOk }) => isOk)).toEqual([true, false])
    const { internet, machine, config } = world([first])
    const named = { transport: 'udp' as const, address: TransportAddress.of('2001:db8::9', 3478) }
    const lacking = await internet.until(
      testDeployment({ ...config, listen: [...config.listen, { ...named, isOptional: true }] }, machine),
    )
    expect(lacking.filter(({ check }) => check === 'listen').map(({ what }) => what)[1]).toMatch(
      /^is left out \(EADDRNOTAVAIL\)/,
    )
  })

  it.each([
    ['before it runs', false, false, { isOk: true, what: 'each can be opened' }],
    ['beside it', true, false, { isOk: true, what: 'the running server answers at each' }],
    ['in use', false, true, { isOk: false, what: `tcp://${second}:3479 cannot be opened (EADDRINUSE)` }],
  ])('whose alternate addresses over TCP are looked at too, %s', async (_, runs, isTaken, expected) => {
    const { internet, host, machine, config } = world()
    const whole: ServeConfig = {
      ...config,
      alternateAddresses: [TransportAddress.of(second, 0)],
      listen: [
        ...config.listen,
        { transport: 'tcp', address: TransportAddress.of(first, 3478), isOptional: false },
      ],
    }
    if (runs) await internet.until(startServer(whole, host, quiet))
    if (isTaken) host.listenTcp({ address: TransportAddress.of(second, 3479) }, deaf)
    const findings = await internet.until(testDeployment(whole, machine))
    const found = findings.filter(({ check }) => check === 'alternates')
    expect(found).toHaveLength(2)
    expect(found[1]).toMatchObject(expected)
  })

  it('whose address is not of this machine', async () => {
    const { internet, machine, config } = world([second])
    const findings = await internet.until(testDeployment(config, machine))
    expect(by(findings, 'listen')).toMatchObject({ isOk: false, what: 'cannot be opened (EADDRNOTAVAIL)' })
    expect(by(findings, 'relay')).toMatchObject({ isOk: false })
  })

  it('whose alternate addresses do not reach each other', async () => {
    const { internet, machine, config } = world()
    internet.intercept(() => true)
    const blocked = { ...machine, host: blocking(machine.host) }
    const whole = { ...config, alternateAddresses: [TransportAddress.of(second, 0)] }
    const findings = await internet.until(testDeployment(whole, blocked))
    const found = by(findings, 'alternates')
    expect(found?.isOk).toBe(false)
    expect(found?.what).toMatch(/^what 20\.1\.0\.\d:347\d sends does not arrive at 20\.1\.0\.\d:347\d$/)
    expect(found?.cure).toContain('firewall')
  })

  it('with few files, a small buffer and a private address', async () => {
    const { internet, host, config } = world(['10.0.0.5'])
    const inside = TransportAddress.of('10.0.0.5', 3478)
    const findings = await internet.until(
      testDeployment(
        { ...config, listen: [{ transport: 'udp', address: inside, isOptional: false }] },
        { host, limits: few, mostReceiveBufferBytes: 212_992 },
      ),
    )
    expect(by(findings, 'open-files')).toMatchObject({ isOk: null })
    expect(by(findings, 'open-files')?.cure).toContain('LimitNOFILE=')
    expect(by(findings, 'receive-buffer')?.cure).toContain('sysctl -w net.core.rmem_max=4194304')
    expect(by(findings, 'relay')?.cure).toContain('--external-address PUBLIC/10.0.0.5')
    expect(exitCodeOf(findings)).toBe(0)
  })

  it('with flags that do not go together is looked at no further', async () => {
    const { internet, machine, config } = world()
    const findings = await internet.until(testDeployment({ ...config, users: [] }, machine))
    expect(findings.map(({ check, isOk }) => [check, isOk])).toEqual([['configuration', false]])
  })

  it('with certificates that do not fit, or cannot be read', async () => {
    const { internet, machine, config } = world()
    const [one, other] = [folder.make('turn.example.org'), folder.make('other.example.org')]
    const files = [
      { certificateFile: one.certificateFile, keyFile: one.keyFile },
      { certificateFile: one.certificateFile, keyFile: other.keyFile },
      { certificateFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' },
    ]
    const listen = [
      ...config.listen,
      { transport: 'tls' as const, address: TransportAddress.of(first, 5349), isOptional: false },
    ]
    // Simulated time begins in the past of these certificates: the machine's own clock judges them.
    const host = new Proxy(machine.host, {
      get: (target, name) => {
        if (name === 'clock') return { ...target.clock, epochSeconds: new NodeHost().clock.epochSeconds }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const findings = await internet.until(
      testDeployment({ ...config, listen, tlsCertificates: files }, { ...machine, host }),
    )
    const found = findings.filter(({ check }) => check === 'certificate')
    expect(found[0]?.what).toMatch(/days left \(DNS:turn\.example\.org/)
    expect(found[1]).toMatchObject({ isOk: false, what: 'does not go with its key' })
    expect(found[2]?.what).toContain('cannot be read (ENOENT)')
  })
})

/** Another program that knows STUN. */
function answerAs(host: DeploymentMachine['host'], address: TransportAddress, software: string): void {
  const socket = host.bindUdp(
    { address },
    {
      ...none,
      datagram: (bytes, source) => {
        const request = decodeMessage(bytes)
        if (typeof request === 'string') return
        const { method, transactionId } = request
        const attributes = [
          ['XOR-MAPPED-ADDRESS', TransportAddress.from(source)],
          ['SOFTWARE', software],
        ] as const
        socket.send(
          encodeMessage({ class: 'success', method: method ?? 'Binding', transactionId, attributes }),
          source,
        )
      },
    },
  )
}

/** Nothing that is sent arrives. */
function blocking(host: DeploymentMachine['host']): DeploymentMachine['host'] {
  return new Proxy(host, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (name === 'bindUdp') {
        return (...[options, handlers]: Parameters<typeof target.bindUdp>) =>
          target.bindUdp(options, {
            bound: (local) => handlers.bound(local),
            failed: (reason) => handlers.failed(reason),
            datagram: () => {},
            sendFailed: () => {},
          })
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('a partner', () => {
  const key = keyFile(partnerKeys.first)
  afterAll(() => key.remove())

  const configOf = (own: TransportAddress, other: TransportAddress, keys = key.path): ServeConfig => ({
    ...defaultConfig,
    users: [{ name: 'user', password: 'pass' }],
    listen: [{ transport: 'udp', address: own, isOptional: false }],
    partners: [{ host: other.ip, port: other.port }],
    partnerKeyFile: keys,
  })
  const machineOf = (host: DeploymentMachine['host']): DeploymentMachine => ({
    host,
    limits: enough,
    mostReceiveBufferBytes: 4_194_304,
  })

  it('of a server that runs is there, until it is gone', async () => {
    const { internet, a, b } = await partnerWorld(key.path)
    const config = configOf(a.address, b.address)
    const there = await internet.until(testDeployment(config, machineOf(a.host)))
    expect(by(there, 'partner')).toEqual({
      check: 'partner',
      where: `${b.address}`,
      isOk: true,
      what: `is there: the running server names ${b.address.withPort(3479)}`,
      cure: null,
    })
    await internet.until(b.server.close())
    await internet.runAsync({ for: 60_000 })
    const gone = await internet.until(testDeployment(config, machineOf(a.host)))
    expect(by(gone, 'partner')).toMatchObject({ isOk: false, what: 'the running server has no link to it' })
    expect(exitCodeOf(gone)).toBe(1)
  })

  it('cannot be asked before the server runs', async () => {
    const internet = new Internet({ seed: 1 })
    const [own, other] = [internet.host(), internet.host()]
    const config = configOf(own.address(3478), other.address(3478))
    const findings = await internet.until(testDeployment(config, machineOf(own)))
    expect(by(findings, 'partner')).toMatchObject({
      isOk: null,
      what: 'could not be asked: the server does not run',
    })
    expect(exitCodeOf(findings)).toBe(0)
  })

  it.each([
    ['that is this machine', 'own', /is this machine itself/],
    ['whose key is missing', 'other', /"\/none".* cannot be read \(ENOENT\)/],
  ] as const)('%s is a fault', async (_, name, message) => {
    const internet = new Internet({ seed: 1 })
    const [own, other] = [internet.host(), internet.host()]
    const partner = name === 'own' ? own.address(3478) : other.address(3478)
    const config = configOf(own.address(3478), partner, name === 'own' ? key.path : '/none')
    const findings = await internet.until(testDeployment(config, machineOf(own)))
    expect(by(findings, 'partner')).toMatchObject({ isOk: false, what: expect.stringMatching(message) })
  })
})

it('findings are shown without addresses and names on demand', () => {
  const findings: DeploymentFinding[] = [
    { check: 'listen', where: 'udp://[2001:db8::1]:3478', isOk: true, what: 'is free', cure: null },
    { check: 'relay', where: '2001:db8::1', isOk: null, what: 'is private', cure: 'PUBLIC/2001:db8::1' },
    {
      ...{ check: 'certificate', where: '/live/turn.example.net/cert.pem', isOk: true, cure: null },
      what: 'has 61 days left (DNS:turn.example.net, DNS:other.example.net)',
    },
    { check: 'partner', where: 'two.example.org:3478', isOk: false, what: 'cannot be resolved', cure: null },
  ]
  const hidden = anonymizedFindings(findings, ['two.example.org'])
  expect(JSON.stringify(hidden)).not.toMatch(/2001:db8|example/)
  expect(hidden.map(({ where }) => where.replace(/\d+(?=[:/]|$)/, '#'))).toEqual([
    'udp://address-#:3478',
    'address-#',
    '/live/server-#/cert.pem',
    'server-#:3478',
  ])
})

describe('the screen of turnpike selftest', () => {
  it('says what is wrong, and what helps', async () => {
    const { internet, host, config } = world(['10.0.0.5'])
    const inside = TransportAddress.of('10.0.0.5', 3478)
    const listen = [
      { transport: 'udp' as const, address: inside, isOptional: false },
      { transport: 'tcp' as const, address: TransportAddress.of('192.0.2.9', 3478), isOptional: false },
    ]
    const machine = { host, limits: few, mostReceiveBufferBytes: 212_992 }
    const findings = await internet.until(
      testDeployment({ ...config, listen, relayAddresses: [inside.withPort(0)] }, machine),
    )
    const person = { columns: 80, hasColor: false, hasUnicode: true, isPlain: false }
    await expect(render(selftestScreen(findings), person)).toMatchFileSnapshot('golden/selftest.txt')
    const verbose = render(selftestScreen(findings, { verbose: true }), person)
    await expect(verbose).toMatchFileSnapshot('golden/selftest-verbose.txt')
    for (const line of verbose.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
    const plain = render(selftestScreen(findings, { verbose: true }), { ...person, isPlain: true })
    for (const line of plain.trimEnd().split('\n')) expect(line).toMatch(/^[a-z0-9-]+: \S/)
  })
})

describe('turnpike selftest as a process', () => {
  it('finds the turnpike that runs beside it, and its report is valid', async () => {
    const server = await startTurnpike(['--no-auth', '--log-level', 'error'])
    const flags = ['--no-auth', '--listen', `udp://127.0.0.1:${server.port}`, '--json']
    const { code, stdout, output } = await startCli(['selftest', ...flags]).ended
    await server.stop()
    const isReport = new Ajv({ allowUnionTypes: true }).compile(
      JSON.parse(readFileSync('docs/schemas/selftest-1.schema.json', 'utf8')),
    )
    const report = JSON.parse(stdout)
    expect(isReport(report), JSON.stringify(isReport.errors)).toBe(true)
    expect(by(report.findings, 'listen'), output).toMatchObject({
      isOk: true,
      what: 'a server of ours answers there',
    })
    expect(code, output).toBe(0)
  })

  it('ends with 1 at a fault', async () => {
    const { code, stdout } = await startCli([
      'selftest',
      '--no-auth',
      '--listen',
      'udp://192.0.2.7:3478',
      '--plain',
    ]).ended
    expect(code).toBe(1)
    expect(stdout).toMatch(/^listen: failed udp:\/\/192\.0\.2\.7:3478: cannot be opened \(EADDRNOTAVAIL\)$/m)
    expect(stdout).toMatch(/^failed: .*ip addr/m)
  })

  it('says why it looks, and hides addresses, when it is asked to', async () => {
    const flags = ['--no-auth', '--listen', 'udp://192.0.2.7:3478', '--plain', '-v', '--anonymize']
    const { code, stdout } = await startCli(['selftest', ...flags]).ended
    expect(code).toBe(1)
    expect(stdout).toMatch(/^listen: failed udp:\/\/address-1:3478: cannot be opened/m)
    expect(stdout).toMatch(/^purpose: .*clients come in there/m)
    expect(stdout).not.toContain('192.0.2.7')
  })
})

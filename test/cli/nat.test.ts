/** `turnpike nat`, `lifetime`, `ping` and `ice` on real sockets: what the process ends with, and Ctrl-C. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, startCli, startTurnpike } from '../support/programs.ts'
import { quietPorts } from '../support/quiet-ports.ts'
import { runMain } from '../support/run-main.ts'

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTypes: false })
const folder = mkdtempSync(join(tmpdir(), 'turnpike-commands-'))
const password = join(folder, 'password')
const wrong = join(folder, 'wrong')
writeFileSync(password, 'wonder\n', { mode: 0o600 })
writeFileSync(wrong, 'wander\n', { mode: 0o600 })

function expectValid(name: string, stdout: string): Record<string, unknown> {
  const isValid = ajv.compile(JSON.parse(readFileSync(`docs/schemas/${name}-1.schema.json`, 'utf8')))
  const report = JSON.parse(stdout)
  expect(isValid(report), JSON.stringify(isValid.errors)).toBe(true)
  ajv.removeSchema(`turnpike.${name}/1`)
  return report
}

describe('against a turnpike on loopback', { timeout: 240_000 }, () => {
  let server: Child & { port: number }
  let stun: string
  let turn: string
  /** Hears everything and answers nothing. */
  let silent: Socket

  beforeAll(async () => {
    server = await startTurnpike([
      ...['--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8', '--log-level', 'silent'],
    ])
    stun = `stun:127.0.0.1:${server.port}`
    turn = `turn:127.0.0.1:${server.port}`
    silent = createSocket('udp4')
    silent.bind(0, '127.0.0.1')
    await once(silent, 'listening')
  })

  afterAll(async () => {
    await server.stop()
    silent.close()
    rmSync(folder, { recursive: true })
  })

  const login = ['--user', 'alice', '--password-file', password]

  it('nat ends with 0, and needs no more than what it was told', async () => {
    const { code, stdout } = await runMain(['nat', stun, '-4', '--json', '--require', 'udp'])
    expect(expectValid('nat', stdout)).toMatchObject({ families: { udp4: { reachable: { value: true } } } })
    expect(code).toBe(0)
  })

  it('nat measures from a relay of a TURN server, and judges that server', async () => {
    const { code, stdout } = await runMain([
      ...['nat', stun, '-4', '--json', '--turn', turn, ...login, '--require', 'turn-udp,loss<50%'],
    ])
    expectValid('nat', stdout)
    expect(code).toBe(0)
  })

  it('nat ends with 5 when the relay is refused, and with 4 when nobody answers', async () => {
    const refused = await runMain([
      'nat',
      stun,
      '-4',
      '--json',
      '--turn',
      turn,
      '-u',
      'alice',
      '--password-file',
      wrong,
    ])
    expect(expectValid('nat', refused.stdout).problems).toMatchObject([{ code: 'turn-refused' }])
    expect(refused.code).toBe(5)
    const port = await quietPorts(2)
    expect((await runMain(['nat', `stun:127.0.0.1:${port}`, '-4', '--json'])).code).toBe(4)
  })

  it('lifetime ends with 4 when nobody answers, and 3 when the server cannot tell', async () => {
    const port = await quietPorts(2)
    const none = await runMain(['lifetime', `stun:127.0.0.1:${port}`, '--longest', '10', '--json'])
    expectValid('lifetime', none.stdout)
    expect(none.code).toBe(4)
    const plain = await runMain(['lifetime', stun, '--longest', '10', '--json'])
    expectValid('lifetime', plain.stdout)
    expect(plain.code).toBe(3)
  })

  it('ping counts, and names a port where nothing listens', async () => {
    const port = await quietPorts(2)
    const { code, stdout } = await runMain([
      ...['ping', stun, `stun:127.0.0.1:${port}`, '-c', '3', '-i', '0.1', '--timeout', '5', '--json'],
    ])
    expect(expectValid('ping', stdout)).toMatchObject({
      isPartial: false,
      servers: [
        { sent: 3, received: 3, loss: 0, failure: null },
        { sent: 3, received: 0, loss: 1, failure: 'ECONNREFUSED' },
      ],
    })
    expect(code).toBe(0)
  })

  it('ping tells each ping as a line, for programs and for people', async () => {
    const lines = await runMain(['ping', stun, '-c', '2', '-i', '0.1', '--json-lines'])
    const events = lines.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events).toMatchObject([
      { event: 'ping', sequence: 1 },
      { event: 'ping', sequence: 2 },
      { schema: 'turnpike.ping/1' },
    ])
    const plain = await runMain(['ping', stun, '-c', '1', '--plain'])
    expect(plain.stdout).toMatch(
      /^ping: uri=stun:127\.0\.0\.1:\d+ seq=1 ms=[\d.]+\nverdict: It answers in [\d.]+ ms\.\nserver: /,
    )
  })

  it('ice gathers from both servers, and ends with 5 for a wrong password', async () => {
    const args = ['ice', '--loopback', '--server', stun, '--server', turn, '--json']
    const good = await runMain([...args, ...login])
    expect(expectValid('ice', good.stdout).servers).toMatchObject([
      { error: null },
      { candidates: 1, error: null },
    ])
    expect(good.code).toBe(0)
    const refused = await runMain([...args, '-u', 'alice', '--password-file', wrong])
    expect(expectValid('ice', refused.stdout).servers).toMatchObject([{ error: null }, { code: 401 }])
    expect(refused.code).toBe(5)
  })

  it.each([
    ['nat', ['-4', '--json'], 130],
    ['lifetime', ['--json'], 130],
    ['ping', ['--json', '-c', '100'], 130],
    // Without a count that is how it is meant to end: nobody has answered.
    ['ping', ['--json'], 4],
  ] as const)('%s %s prints what it knows at Ctrl-C, and ends with %d', async (name, flags, code) => {
    const child = startCli([name, `stun:127.0.0.1:${silent.address().port}`, ...flags])
    await once(silent, 'message')
    const ended = await child.stop('SIGINT')
    expectValid(name, ended.stdout)
    expect(ended.code).toBe(code)
  })

  it.each([
    [['ping', 'stun:a.example', '--interval', '0'], /from 0\.1 to 3600/],
    [['ping', 'http://a.example'], /not a STUN or TURN URI/],
    [['ping', 'stun:a.example', '--json', '--json-lines'], /cannot be used with/],
    [['ice', '--server', 'ftp:a.example'], /not a STUN or TURN URI/],
    [['lifetime', 'turn:a.example'], /write stun:example\.org/],
  ])('%s is refused', async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

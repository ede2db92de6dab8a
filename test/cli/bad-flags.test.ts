/** What is wrong on the command line is named, with the right form beside it, and nothing is opened. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runMain } from '../support/run-main.ts'
import { UdpEndpoint } from '../support/udp-endpoint.ts'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-flags-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The flags, and what the message has to say: the value that is wrong, and what would be right. */
const refusals: [string[], string[]][] = [
  [
    ['--listen', '127.0.0.1:3478'],
    ['--listen', '"127.0.0.1:3478"', 'did you mean udp://127.0.0.1:3478?'],
  ],
  [
    ['--listen', 'udp://127.0.0.1'],
    ['"udp://127.0.0.1"', 'did you mean udp://127.0.0.1:3478?'],
  ],
  [
    ['--listen', 'udp://::1'],
    ['"udp://::1"', 'did you mean udp://[::1]:3478?'],
  ],
  [
    ['--listen', 'udp://localhost:3478'],
    ['"udp://localhost:3478"', 'udp://127.0.0.1:3478'],
  ],
  [
    ['--listen', 'udp://127.0.0.1:65536'],
    ['"udp://127.0.0.1:65536"', '3478'],
  ],
  [
    ['--listen', 'udp://0.0.0.0:0'],
    ['"udp://0.0.0.0:0"', '3478'],
  ],
  [
    ['--listen', 'sctp://127.0.0.1:3478'],
    ['"sctp://127.0.0.1:3478"', 'udp://'],
  ],
  [
    ['--listen', ''],
    ['--listen', 'udp://'],
  ],
  [
    ['--realm', ''],
    ['--realm', 'turn.example.org'],
  ],
  [
    ['--realm', 'r'.repeat(128)],
    ['--realm', '1-127 characters'],
  ],
  [
    ['--realm', 'quo"te'],
    ['--realm', 'without quotes'],
  ],
  [
    ['--user', 'alice'],
    ['--user', 'no colon', 'name:password'],
  ],
  [
    ['--user', ':secret'],
    ['--user', 'the name is empty'],
  ],
  [
    ['--user', 'alice:'],
    ['"alice"', 'empty'],
  ],
  [
    ['--user', 'alice:0xabc'],
    ['"alice"', '32 hexadecimal digits'],
  ],
  [
    ['--user-file', join(folder, 'missing')],
    ['--user-file', 'missing', 'ENOENT'],
  ],
  [
    ['--user-file', file('broken', '# users\nalice:wonder\nbob\n')],
    ['broken', 'line 3', 'no colon'],
  ],
  [
    ['--relay-address', '0.0.0.0'],
    ['"0.0.0.0"', 'wildcard', '192.0.2.1'],
  ],
  [
    ['--relay-address', '192.0.2.1:80'],
    ['"192.0.2.1:80"', 'did you mean 192.0.2.1?'],
  ],
  [
    ['--relay-address', 'eth0'],
    ['"eth0"', '192.0.2.1'],
  ],
  [['--external-address', '1.2.3.4/5.6.7.8/9'], ['PUBLIC/PRIVATE']],
  [
    ['--external-address', '1.2.3.4/::1'],
    ['IPv4', 'IPv6'],
  ],
  [['--external-address', 'auto'], ['"auto"']],
  [
    ['--relay-ports', '50000'],
    ['"50000"', '49152-65535'],
  ],
  [
    ['--relay-ports', '60000-50000'],
    ['"60000-50000"', 'did you mean 50000-60000?'],
  ],
  [
    ['--relay-ports', '0-1000'],
    ['"0-1000"', '1-65535'],
  ],
  [
    ['--relay-ports', '50000-65536'],
    ['65536', '1-65535'],
  ],
  [
    ['--allow-peer', '10.0.0.0/33'],
    ['--allow-peer', '"10.0.0.0/33"', '0-32'],
  ],
  [
    ['--allow-peer', '10.0.0.9-10.0.0.1'],
    ['"10.0.0.9-10.0.0.1"', 'ends before it starts'],
  ],
  [
    ['--deny-peer', '010.0.0.1'],
    ['--deny-peer', '"010.0.0.1"', '10.0.0.0/8'],
  ],
  [['--deny-peer', 'private'], ['"private"']],
  [
    ['--max-lifetime', '59'],
    ['--max-lifetime', '"59"', 'from 60 to 86400'],
  ],
  [
    ['--max-lifetime', '1h'],
    ['"1h"', 'seconds'],
  ],
  [['--max-lifetime', '-1'], ['--max-lifetime']],
  [
    ['--nonce-lifetime', '1e3'],
    ['"1e3"', 'from 10 to 3600'],
  ],
  [
    ['--unauthenticated-rate', '1.5'],
    ['"1.5"', 'whole number'],
  ],
  [
    ['--log-level', 'verbose'],
    ['verbose', 'debug', 'info'],
  ],
  [
    ['--log-format', 'xml'],
    ['xml', 'json', 'pretty'],
  ],
  [
    ['--liste', 'udp://127.0.0.1:3478'],
    ["unknown option '--liste'", 'Did you mean --listen?'],
  ],
  [
    ['--relay-port', '1-2'],
    ['--relay-port', 'Did you mean --relay-ports?'],
  ],
  [['--listen'], ['--listen', 'argument missing']],
  [['extra'], ['too many arguments']],
]

describe('turnpike serve exits 2', () => {
  it.each(refusals)('for %j', async (flags, said) => {
    const { code, stdout, stderr } = await runMain(['serve', ...flags])
    expect([code, stdout]).toEqual([2, ''])
    for (const words of said) expect(stderr).toContain(words)
  })

  it('without users, and says how to have some or none', async () => {
    const { code, stderr } = await runMain(['serve', '--listen', 'udp://127.0.0.1:0'])
    expect(code).toBe(2)
    expect(stderr).toContain('--user name:password')
    expect(stderr).toContain('--no-auth')
  })

  it('with users and --no-auth at once', async () => {
    const { code, stderr } = await runMain(['serve', '--user', 'a:b', '--no-auth'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--no-auth excludes --user')])
  })

  it.each([
    ['--user', 'hunter2'],
    ['--user', ':hunter2'],
    ['--user', `${'x'.repeat(509)}:hunter2`],
    ['--user', 'alice:0xhunter2'],
  ])('without a word of the password that it was given: %s %s', async (flag, value) => {
    const { code, stderr } = await runMain(['serve', flag, value])
    expect(code).toBe(2)
    expect(stderr).not.toContain('hunter2')
  })

  it('without a word of a password in a file', async () => {
    const { code, stderr } = await runMain(['serve', '--user-file', file('secret', 'hunter2\n')])
    expect(code).toBe(2)
    expect(stderr).not.toContain('hunter2')
  })
})

describe('turnpike serve exits 2 for an address that is not of this host', () => {
  it.each([
    ['udp', 'auto'],
    ['udp', 'mmsg'],
    ['udp', 'dgram'],
    ['tcp', 'auto'],
  ])('%s with --io %s', async (transport, io) => {
    const uri = `${transport}://203.0.113.9:3478`
    const { code, stdout, stderr } = await runMain(['serve', '--listen', uri, '--user', 'a:b', '--io', io])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`cannot listen on ${uri} (EADDRNOTAVAIL): no interface of this host has that`)
  })
})

describe('turnpike serve exits 1', () => {
  it('for a port in use, and says whose matter that is', async () => {
    const other = await UdpEndpoint.open()
    const uri = `udp://127.0.0.1:${other.port}`
    const { code, stdout, stderr } = await runMain([
      'serve',
      '--listen',
      uri,
      '--user',
      'a:b',
      '--io',
      'dgram',
    ])
    other.close()
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(`cannot listen on ${uri} (EADDRINUSE)`)
  })

  it('for a relay address of another host', async () => {
    const flags = ['--listen', 'udp://127.0.0.1:0', '--user', 'a:b', '--relay-address', '192.0.2.1']
    const { code, stderr } = await runMain(['serve', ...flags])
    expect([code, stderr]).toEqual([1, expect.stringContaining('cannot relay from 192.0.2.1')])
  })
})

describe('turnpike', () => {
  it('tells its version, and its commands and flags', async () => {
    const version = await runMain(['--version'])
    expect([version.code, version.stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
    const help = await runMain(['--help'])
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('serve')])
    const flags = await runMain(['serve', '--help'])
    expect([flags.code, flags.stdout]).toEqual([0, expect.stringContaining('--allow-peer <range>')])
  })

  it('suggests the command that was meant', async () => {
    const { code, stderr } = await runMain(['serv'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('Did you mean serve?')])
  })

  it('without a command shows what there is, as an error', async () => {
    const { code, stderr } = await runMain([])
    expect([code, stderr]).toEqual([2, expect.stringContaining('serve')])
  })
})

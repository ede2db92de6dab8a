/** What is wrong on the command line is named, with the right form beside it, and nothing is opened. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { serveCommand } from '../../src/cli/serve.ts'
import { runMain } from '../support/run-main.ts'
import { UdpEndpoint } from '../support/udp-endpoint.ts'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-flags-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The first column of the table. */
const documented = readFileSync('docs/serve.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `--'))
  .flatMap((line) => line.slice(0, line.indexOf(' | ')).match(/--[a-z-]+/g) ?? [])

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
  [['--listen', 'tls://127.0.0.1:0', '--user', 'a:b'], ['--tls-cert FILE and --tls-key FILE']],
  [
    ['--listen', 'tcp://127.0.0.1'],
    ['"tcp://127.0.0.1"', 'did you mean tcp://127.0.0.1:3478?'],
  ],
  [
    ['--tls-cert', 'missing.pem', '--user', 'a:b'],
    ['--tls-cert was given 1 time', '--tls-key was given 0 times'],
  ],
  [
    ['--tls-cert', join(folder, 'nothing'), '--tls-key', join(folder, 'nothing'), '--user', 'a:b'],
    ['--tls-cert', '--listen tls://0.0.0.0:5349'],
  ],
  [
    [
      ...['--listen', 'tls://127.0.0.1:0', '--tls-cert', join(folder, 'nothing')],
      ...['--tls-key', join(folder, 'nothing'), '--user', 'a:b'],
    ],
    ['nothing', 'ENOENT'],
  ],
  [
    ['--secret', ' '],
    ['--secret is empty', 'openssl rand -hex 32'],
  ],
  [
    ['--secret-file', join(folder, 'missing')],
    ['--secret-file', 'missing', 'ENOENT'],
  ],
  [
    ['--secret-file', file('empty', '\n\n')],
    ['--secret-file', 'no line with a secret'],
  ],
  [
    ['--strict-expiry', '--user', 'a:b'],
    ['--strict-expiry', '--secret'],
  ],
  [
    ['--max-credential-ttl', '3600', '--user', 'a:b'],
    ['--max-credential-ttl', '--secret'],
  ],
  [
    ['--max-credential-ttl', '1d'],
    ['--max-credential-ttl', '"1d"', 'seconds'],
  ],
  [
    ['--oauth-key', 'north'],
    ['--oauth-key', 'no colon', 'kid:BASE64'],
  ],
  [
    ['--oauth-server-name', 'quo"te'],
    ['--oauth-server-name', 'without quotes'],
  ],
  [
    ['--alternate-server', '192.0.2.9'],
    ['--alternate-server', '"192.0.2.9"'],
  ],
  [
    ['--alternate-server', '127.0.0.77:29478', '--listen', 'udp://127.0.0.77:29478', '--user', 'a:b'],
    ['--alternate-server 127.0.0.77:29478 is this server itself'],
  ],
  [
    ['--alternate-address', '127.0.0.2:3478'],
    ['--alternate-address', '"127.0.0.2:3478"', 'did you mean 127.0.0.2?'],
  ],
  [
    ['--alternate-address', '127.0.0.2', '--listen', 'udp://0.0.0.0:29479', '--user', 'a:b'],
    ['--alternate-address', '--listen udp://'],
  ],
  [
    ['--alternate-port', '65536'],
    ['--alternate-port', '"65536"'],
  ],
  [
    ['--partner', '192.0.2.2'],
    ['--partner', '"192.0.2.2"', 'such as 192.0.2.2:3478'],
  ],
  [
    ['--partner', '127.0.0.2:3478', '--listen', 'udp://127.0.0.1:3478', '--user', 'a:b'],
    ['--partner', '--partner-key FILE', 'openssl rand -hex 32'],
  ],
  [
    [
      ...['--partner', '127.0.0.2:3478', '--listen', 'udp://127.0.0.1:3478', '--user', 'a:b'],
      ...['--partner-key', file('short-partner-key', 'short\n')],
    ],
    ['--partner-key', 'has 5 bytes', '32'],
  ],
  [
    ['--advertise', '10.0.0.1'],
    ['--advertise', '"10.0.0.1"', 'PRIVATE=PUBLIC'],
  ],
  [['--mobility', '--no-auth'], ['--mobility needs users']],
  [
    ['--user-quota', '-1'],
    ['--user-quota', 'allocations'],
  ],
  [
    ['--total-quota', 'many'],
    ['--total-quota', '"many"', 'allocations'],
  ],
  [
    ['--max-permissions', '0'],
    ['--max-permissions', '"0"', 'from 1 to 65536'],
  ],
  [
    ['--max-channels', '16385'],
    ['--max-channels', '"16385"', 'from 1 to 16384'],
  ],
  [
    ['--max-bps', '1.5MB'],
    ['--max-bps', '"1.5MB"', '4Mbit'],
  ],
  [
    ['--user-max-bps', '1Mb'],
    ['--user-max-bps', '"1Mb"', '4Mbit'],
  ],
  [
    ['--total-max-bps', ''],
    ['--total-max-bps', '""', '4Mbit'],
  ],
  [
    ['--default-lifetime', '9'],
    ['--default-lifetime', '"9"', 'from 10 to 86400'],
  ],
  [
    ['--default-lifetime', '900', '--max-lifetime', '800', '--user', 'a:b'],
    ['--default-lifetime 900', '--max-lifetime 800'],
  ],
  [
    ['--permission-lifetime', '86401'],
    ['--permission-lifetime', '"86401"', 'from 10 to 86400'],
  ],
  [
    ['--channel-lifetime', '10 min'],
    ['--channel-lifetime', '"10 min"', 'seconds'],
  ],
  [
    ['--handshake-timeout', '0'],
    ['--handshake-timeout', '"0"', 'from 1 to 300'],
  ],
  [
    ['--idle-timeout', '1m'],
    ['--idle-timeout', '"1m"', 'seconds'],
  ],
  [
    ['--connections-per-address', 'one'],
    ['--connections-per-address', '"one"', 'connections'],
  ],
  [
    ['--io', 'epoll'],
    ['--io', 'epoll', 'mmsg'],
  ],
  [
    ['--workers', '0'],
    ['--workers', '"0"'],
  ],
  [
    ['--signaling', 'ftp://x'],
    ['--signaling', 'http://127.0.0.1:3480'],
  ],
  [
    [
      ...['--signaling', 'http://127.0.0.1:0', '--signaling-key-file', join(folder, 'missing')],
      ...['--listen', 'udp://127.0.0.1:0', '--secret', 's', '--io', 'dgram'],
    ],
    ['--signaling-key-file', 'missing', 'ENOENT'],
  ],
  [
    ['--signaling-origin', 'app.example.org'],
    ['--signaling-origin', '"app.example.org"', 'https://app.example.org'],
  ],
  [
    ['--ice-url', 'turn://x'],
    ['--ice-url', 'no //'],
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

const flags = serveCommand().options

describe('Every flag of turnpike serve', () => {
  it.each(flags.filter(({ required }) => required))(
    'that takes a value is tried with a bad one: $long',
    ({ long }) => {
      expect(refusals.some(([given]) => given[0] === long || given.includes(long!))).toBe(true)
    },
  )

  it.each(flags)('has its row in docs/serve.md: $long', ({ long }) => {
    expect(documented).toContain(long)
  })

  it('that docs/serve.md has is there', () => {
    expect(documented.filter((flag) => !flags.some(({ long }) => long === flag))).toEqual([])
  })
})

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

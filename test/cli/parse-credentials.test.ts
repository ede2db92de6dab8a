import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  parseOauthKey,
  parseRealm,
  parseSecret,
  parseSecretFile,
  parseUser,
  parseUserFile,
  readSecretFile,
} from '../../src/cli/parse-credentials.ts'
import { parseAlternateServer, parseByteRate } from '../../src/cli/parse-options.ts'
import { checkCredentials, defaultCredentialsConfig } from '../../src/server/credentials-config.ts'
import { checkLimits, defaultLimitsConfig } from '../../src/server/limits-config.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const base64 = (text: string) => Buffer.from(text).toString('base64')
const key16 = '0123456789abcdef'
const key32 = `${key16}${key16}`

describe('--user', () => {
  it.each([
    ['alice:wonder', { name: 'alice', password: 'wonder' }],
    ['alice:won:der', { name: 'alice', password: 'won:der' }],
    ['zo\u0065\u0308:p', { name: 'zo\u00eb', password: 'p' }],
    ['a\u00a0b:p', { name: 'a b', password: 'p' }],
    [`alice:0x${'0f'.repeat(16)}`, { name: 'alice', key: new Uint8Array(16).fill(15) }],
    [`alice:0x${'0F'.repeat(16)}`, { name: 'alice', key: new Uint8Array(16).fill(15) }],
  ])('%s is read', (text, user) => {
    expect(parseUser(text)).toEqual(user)
  })

  it.each([
    ['alice', 'no colon'],
    [':hidden-password', 'name is empty'],
    ['alice:', 'password of "alice" is empty'],
    ['alice:0xhidden', '0x and 32 hexadecimal digits'],
    [`alice:0x${'0'.repeat(31)}`, '0x and 32 hexadecimal digits'],
    ['a\u0000b:hidden', 'characters that no user name has'],
    ['a\u202eb:hidden', 'characters that no user name has'],
    [`${'n'.repeat(509)}:hidden`, 'longer than 508 bytes'],
  ])('%j is refused, for: %s; and the password is not repeated', (text, why) => {
    expect(() => parseUser(text)).toThrow(why)
    expect(messageOf(() => parseUser(text))).not.toContain('hidden')
  })

  it('comes from a file line by line, and a fault names the line', () => {
    expect(parseUserFile('# users\n\na:b\r\nc:d\n', 'users')).toHaveLength(2)
    expect(() => parseUserFile('a:b\nhidden\n', 'users')).toThrow('users, line 2: ')
  })
})

describe('--secret', () => {
  it('is taken as it is, and is not empty', () => {
    expect(parseSecret('n\u00f8rth secret ')).toEqual(bytes('n\u00f8rth secret '))
    for (const empty of ['', '  ', '\n']) expect(() => parseSecret(empty)).toThrow('is empty')
  })

  it('comes from a file line by line, and there has to be one', () => {
    expect(parseSecretFile('new\r\n\nold\n', 'f')).toEqual([bytes('new'), bytes('old')])
    expect(() => parseSecretFile('\n', '"f"')).toThrow('--secret-file "f" has no line with a secret')
  })
})

describe('--oauth-key', () => {
  it.each([
    [`north:${base64(key32)}`, key32],
    [`union:${base64(key16)}`, key16],
    [`north:${base64(`${key32}\n`)}`, key32],
    [`north:${base64(key32)}:A256GCM`, key32],
    [`north:${base64(key32)}:A128GCM`, key16],
  ])('%s is read', (text, key) => {
    expect(parseOauthKey(text)).toEqual({ kid: text.slice(0, text.indexOf(':')), key: bytes(key) })
  })

  it.each([
    ['north', 'no colon'],
    ['north:a:b:c', 'too many'],
    ['north:hidden!', 'not base64'],
    [`north:${base64('hidden')}`, '6 bytes, not 16'],
    [`north:${base64(key16)}:A256GCM`, '16 bytes, and A256GCM takes 32'],
    [`north:${base64(key32)}:A256CBC-HS512`, 'no algorithm that is known here'],
  ])('%s is refused, for: %s; and the key is not repeated', (text, why) => {
    expect(() => parseOauthKey(text)).toThrow(why)
    expect(messageOf(() => parseOauthKey(text))).not.toMatch(/hidden|MDEyMzQ1/)
  })
})

describe('--realm', () => {
  it('is spelt as OpaqueString has it', () => {
    expect(parseRealm('re\u0301alm')).toBe('r\u00e9alm')
  })

  it.each(['', 'a"b', 'a\\b', 'a\tb', 'a'.repeat(128)])('%j is refused', (text) => {
    expect(() => parseRealm(text)).toThrow('1-127 characters')
  })
})

describe('A file of secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-secrets-'))
  const file = join(folder, 'secrets')
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([
    [0o600, 0],
    [0o640, 0],
    [0o644, 1],
  ])('of mode %o gives %i warnings', (mode, count) => {
    writeFileSync(file, 'north\n')
    chmodSync(file, mode)
    const warnings: string[] = []
    expect(readSecretFile('--secret-file', file, (message) => warnings.push(message))).toBe('north\n')
    expect(warnings).toHaveLength(count)
  })

  it('that is not there is named, with the reason', () => {
    expect(() => readSecretFile('--user-file', '/nowhere', () => {})).toThrow(
      '--user-file "/nowhere" cannot be read (ENOENT)',
    )
  })
})

describe('Who is served', () => {
  const check = (change: object) => () => checkCredentials({ ...defaultCredentialsConfig, ...change })

  it.each([
    [{ users: [{ name: 'a', password: 'b' }] }],
    [{ secrets: [bytes('s')] }],
    [{ secrets: [bytes('s')], strictExpiry: true }],
    [{ tokenKeys: [{ kid: 'k', key: bytes(key16) }] }],
    [{ noAuth: true }],
  ])('is said by %j', (change) => {
    expect(check(change)).not.toThrow()
  })

  it.each([
    [{}, 'relays for everybody'],
    [{ noAuth: true, secrets: [bytes('s')] }, '--no-auth excludes'],
    [{ noAuth: true, users: [{ name: 'a', password: 'b' }] }, '--no-auth excludes'],
    [{ strictExpiry: true, users: [{ name: 'a', password: 'b' }] }, '--strict-expiry'],
    [{ maxCredentialTtl: 60, users: [{ name: 'a', password: 'b' }] }, '--max-credential-ttl'],
  ])('is not said by %j', (change, why) => {
    expect(check(change)).toThrow(why)
  })
})

describe('A rate', () => {
  it.each([
    ['0', 0],
    ['125000', 125_000],
    ['125kB', 125_000],
    ['1MB', 1_000_000],
    ['2GB', 2_000_000_000],
    ['800kbit', 100_000],
    ['4Mbit', 500_000],
    ['1Gbit', 125_000_000],
  ])('%s is %i bytes a second', (text, rate) => {
    expect(parseByteRate(text)).toBe(rate)
  })

  it.each(['', '-1', '1.5', '1 MB', '1mb', '1Mb', '1bps', '1e6', '9999999999999'])(
    '%j is refused',
    (text) => {
      expect(() => parseByteRate(text)).toThrow('is not a rate')
    },
  )
})

describe('--default-lifetime', () => {
  it('is not longer than the maximum, unless nobody has named it', () => {
    expect(() => checkLimits({ ...defaultLimitsConfig, maxLifetime: 60 })).not.toThrow()
    expect(() => checkLimits({ ...defaultLimitsConfig, maxLifetime: 60, defaultLifetime: 61 })).toThrow(
      '--default-lifetime 61 is longer than --max-lifetime 60',
    )
  })
})

describe('--alternate-server', () => {
  it.each([
    ['192.0.2.9:3478', ['udp', 'tcp'], undefined],
    ['[2001:db8::9]:3478', ['udp', 'tcp'], undefined],
    ['udp://192.0.2.9:3478', ['udp'], undefined],
    ['tls://192.0.2.9:5349', ['tls'], undefined],
    ['tls://192.0.2.9:5349/turn2.example.org', ['tls'], 'turn2.example.org'],
  ])('%s is for %j', (text, transports, domain) => {
    const server = parseAlternateServer(text)
    expect(server).toMatchObject({ transports, domain })
    expect(text).toContain(server.address.toString())
  })

  it.each([
    'turn2.example.org:3478',
    '192.0.2.9',
    '192.0.2.9:0',
    '0.0.0.0:3478',
    'http://192.0.2.9:80',
    '192.0.2.9:3478/turn2.example.org',
    'tls://192.0.2.9:5349/',
    'tls://192.0.2.9:5349/no name',
    `tls://192.0.2.9:5349/${'a.'.repeat(130)}org`,
    '',
  ])('%j is refused', (text) => {
    expect(() => parseAlternateServer(text)).toThrow()
  })
})

function messageOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('nothing was thrown')
}

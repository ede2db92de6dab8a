import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { EpochSeconds } from '../../src/core/time.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey, longTermKeySha256 } from '../../src/stun/credentials.ts'
import type { Message } from '../../src/stun/message.ts'
import { type CredentialsOptions, credentialStore } from '../../src/turn/credentials.ts'
import { parseTimeLimitedName, sharedSecretPassword } from '../../src/turn/shared-secret.ts'
import { algorithm, algorithms, RawClient, signatureOf } from '../support/signing.ts'
import { codeOf, peerA, realm, TurnHarness, text } from '../support/turn-harness.ts'

const start = 1_700_000_000
const secret = text('north')
const live = `${start + 3600}:alice`

describe('The password of a time-limited name', () => {
  it('is base64 of HMAC-SHA1, as every web service makes it', () => {
    const expected = createHmac('sha1', 'north').update(live).digest('base64')
    expect(sharedSecretPassword(live, secret)).toBe(expected)
    expect(expected).toMatch(/^[A-Za-z0-9+/]{27}=$/)
  })
})

describe('A user name, signed with the secret,', () => {
  const later = start + 3600
  /** The name, what becomes of it, and whom quotas count. */
  const names: [string, string | Uint8Array, 'served' | 'refused', string?][] = [
    ['of the draft', `${later}:alice`, 'served', 'alice'],
    ['of Synapse, whose user has colons', `${later}:@user:server.example`, 'served', '@user:server.example'],
    ['that is a time alone', `${later}`, 'served', `${later}`],
    ['with nothing behind the colon', `${later}:`, 'served', `${later}:`],
    ['with the time last, as coturn reads it', `alice:${later}`, 'served', 'alice'],
    ['with the time last and two colons', `@user:server:${later}`, 'refused'],
    ['with a time on both sides: the first counts', `${later}:${start - 1}`, 'served', `${start - 1}`],
    ['whose first time is over', `${start - 1}:${later}`, 'refused'],
    ['one second before the end', `${start + 1}:alice`, 'served', 'alice'],
    ['at the end', `${start}:alice`, 'refused'],
    ['one second after the end', `${start - 1}:alice`, 'refused'],
    ['of the year 1970', '0:alice', 'refused'],
    ['in milliseconds, by mistake', `${later}000:alice`, 'served', 'alice'],
    ['of 15 digits', '999999999999999:alice', 'served', 'alice'],
    ['of 16 digits', '9999999999999999:alice', 'refused'],
    ['of a hundred digits', `${'9'.repeat(100)}:alice`, 'refused'],
    ['with leading zeros', `000${later}:alice`, 'served', 'alice'],
    ['with a negative time', '-1:alice', 'refused'],
    ['with a plus sign', `+${later}:alice`, 'refused'],
    ['with a fraction of a second', `${later}.5:alice`, 'refused'],
    ['with an exponent', '1e99:alice', 'refused'],
    ['in hexadecimal', '0xffffffff:alice', 'refused'],
    ['with a blank before the time', ` ${later}:alice`, 'refused'],
    ['with digits of another script', '\u0661\u0662\u0663:alice', 'refused'],
    ['with a colon first', `:${later}`, 'served', `:${later}`],
    ['without a time', 'alice', 'refused'],
    ['that is a colon', ':', 'refused'],
    ['that is empty', '', 'refused'],
    ['__proto__', '__proto__', 'refused'],
    ['constructor', 'constructor', 'refused'],
    ['of __proto__, in time', `${later}:__proto__`, 'served', '__proto__'],
    ['of constructor, in time', `${later}:constructor`, 'served', 'constructor'],
    ['with a format string', `${later}:%s%n%x`, 'served', '%s%n%x'],
    ['with quotes and a backslash', `${later}:"a\\'b"`, 'served', `"a\\'b"`],
    ['in SQL', `${later}:'; DROP TABLE users; --`, 'served', "'; DROP TABLE users; --"],
    ['in Japanese', `${later}:\u30de\u30c8\u30ea`, 'served', '\u30de\u30c8\u30ea'],
    ['with a letter and its accent apart', `${later}:zo\u0065\u0308`, 'served', 'zo\u0065\u0308'],
    ['with an emoji', `${later}:\u{1f600}`, 'served', '\u{1f600}'],
    ['with CR and LF', `${later}:a\r\nb`, 'refused'],
    ['with a NUL inside', `${later}:a\u0000b`, 'refused'],
    ['with NULs at the end, which are none of the name', `${later}:alice\u0000\u0000`, 'served', 'alice'],
    ['with an escape sequence', `${later}:\u001b[31m`, 'refused'],
    ['that is no UTF-8', Uint8Array.of(...text(`${later}:`), 0xff, 0xfe), 'refused'],
    ['that is overlong UTF-8', Uint8Array.of(...text(`${later}:`), 0xc0, 0x80), 'refused'],
    ['with half a surrogate pair', Uint8Array.of(...text(`${later}:`), 0xed, 0xa0, 0x80), 'refused'],
    ['of 508 bytes', `${later}:${'a'.repeat(497)}`, 'served', 'a'.repeat(497)],
    ['of 509 bytes', `${later}:${'a'.repeat(498)}`, 'refused'],
    ['of 763 bytes', `${later}:${'a'.repeat(752)}`, 'refused'],
    ['of 60,000 bytes', `${later}:${'a'.repeat(60_000)}`, 'refused'],
  ]
  it.each(names)('%s: is %3$s', (_name, name, outcome, userId) => {
    const { client, harness } = setUp({ secrets: [secret] })
    const bytes = typeof name === 'string' ? text(name) : name
    const answer = client.allocate(bytes)
    if (outcome === 'refused') {
      expect(codeOf(answer)).toBe(401)
      expect(harness.outputs.map(({ type }) => type)).not.toContain('allocation-created')
      return
    }
    expect(answer.class).toBe('success')
    expect(parseTimeLimitedName(String(name).replace(/\0+$/, ''))?.userId).toBe(userId)
  })

  it('and with another secret is refused', () => {
    const { client } = setUp({ secrets: [secret] })
    expect(codeOf(client.allocate(text(live), text('south')))).toBe(401)
  })

  it('is served by SHA-256 too, and not asked for as a hash that nobody could find it by', () => {
    const { client } = setUp({ secrets: [secret] })
    const { nonce } = client
    expect(nonce.startsWith('obMatJos2gAAA')).toBe(true)
    const key = longTermKeySha256(live, realm, sharedSecretPassword(live, secret))
    const answer = client.raw.send({
      attributes: [['USERNAME', live], ['REALM', realm], ['NONCE', nonce], algorithms(2, 1), algorithm(2)],
      integrity: [{ algorithm: 'sha256', key }],
    })
    expect(answer?.class).toBe('success')
    expect(signatureOf(answer, key)).toBe('sha256')
  })
})

describe('Several secrets', () => {
  it('are good at once, and answers are signed by the one that matches', () => {
    const secrets = [text('new'), text('old'), text('oldest')]
    const { harness } = setUp({ secrets })
    for (const used of secrets) {
      const client = new RestClient(harness)
      const key = keyOf(live, used)
      expect(signatureOf(client.allocate(text(live), used), key)).toBe('sha1')
      expect(signatureOf(client.refresh(text(live), used), key)).toBe('sha1')
    }
    expect(codeOf(new RestClient(harness).allocate(text(live), text('other')))).toBe(401)
  })

  it('and configured users are served at once, users by their own password only', () => {
    const users = [
      { name: 'alice', password: 'wonder' },
      { name: live, password: 'configured' },
    ]
    const { harness } = setUp({ secrets: [secret], users })
    const static_ = new RawClient(harness)
    const attributes: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', realm],
      ['NONCE', static_.challenge().get('NONCE')!],
    ]
    const integrity = [{ algorithm: 'sha1', key: longTermKey('alice', realm, 'wonder') }] as const
    expect(static_.send({ attributes, integrity })?.class).toBe('success')
    expect(new RestClient(harness).allocate(text(`${start + 60}:bob`)).class).toBe('success')
    expect(codeOf(new RestClient(harness).allocate(text(live)))).toBe(401)
  })
})

describe('A limit to how long credentials are good for', () => {
  const limited = { secrets: [secret], maxCredentialTtl: 3600 }

  it.each([
    ['as long as the limit', start + 3600, undefined],
    ['a second longer', start + 3601, 401],
    ['for ever, as a leaked one might be', 999_999_999_999_999, 401],
    ['no more', start - 1, 401],
  ])('refuses names that are good for longer: %s', (_name, expiry, code) => {
    const { client } = setUp(limited)
    expect(codeOf(client.allocate(text(`${expiry}:alice`)))).toBe(code)
  })

  it('takes a name later that was good for too long before', () => {
    const { client, harness } = setUp(limited)
    const name = text(`${start + 3700}:alice`)
    expect(codeOf(client.allocate(name))).toBe(401)
    harness.elapse(100)
    expect(client.allocate(name).class).toBe('success')
  })

  it('is none where it is 0', () => {
    const { client } = setUp({ secrets: [secret], maxCredentialTtl: 0 })
    expect(client.allocate(text('999999999999999:alice')).class).toBe('success')
  })
})

describe('The end of a credential', () => {
  const short = text(`${start + 100}:alice`)

  it('ends no allocation: all requests on it go on, and a new allocation is refused', () => {
    const { client, harness } = setUp({ secrets: [secret] })
    const allocate = client.encodeAllocate(short)
    expect(client.raw.exchange(allocate)?.class).toBe('success')
    harness.elapse(200)
    expect(client.refresh(short).get('LIFETIME')).toBe(600)
    expect(client.permit(short).class).toBe('success')
    // A retransmission that was late is answered as the first one was.
    expect(client.raw.exchange(allocate)?.class).toBe('success')
    const other = new RestClient(harness)
    expect(codeOf(other.allocate(short))).toBe(401)
    expect(codeOf(other.refresh(short))).toBe(437)
  })

  it('with strict expiry is the end of every request', () => {
    const { client, harness } = setUp({ secrets: [secret], strictExpiry: true })
    expect(client.allocate(short).class).toBe('success')
    harness.elapse(99)
    expect(client.refresh(short).class).toBe('success')
    harness.elapse(1)
    expect(codeOf(client.refresh(short))).toBe(401)
    expect(codeOf(client.permit(short))).toBe(401)
  })

  it('goes by the wall clock, and lifetimes do not: a step of it ends no allocation', () => {
    const { client, clock, harness } = setUp({ secrets: [secret] })
    expect(client.allocate(short).class).toBe('success')
    clock.step = 10 ** 9
    harness.elapse(599)
    expect(client.refresh(short).get('LIFETIME')).toBe(600)
    clock.step = -(10 ** 9)
    expect(client.refresh(short).get('LIFETIME')).toBe(600)
    expect(new RestClient(harness).allocate(short).class).toBe('success')
  })

  it('has come where there is no clock to tell', () => {
    const credentials = credentialStore({ realm, secrets: [secret] })
    const client = new RestClient(new TurnHarness({ credentials }))
    expect(codeOf(client.allocate(text(live)))).toBe(401)
  })
})

describe('The quota of a user', () => {
  it('counts who is behind the time, however often a new name is made', () => {
    const { harness } = setUp({ secrets: [secret] }, { userQuota: 2 })
    const names = [100, 200, 300].map((seconds) => text(`${start + seconds}:@alice:server`))
    const codes = names.map((name) => codeOf(new RestClient(harness).allocate(name)))
    expect(codes).toEqual([undefined, undefined, 486])
    expect(new RestClient(harness).allocate(text(`${start + 100}:@bob:server`)).class).toBe('success')
  })

  it('counts names of a time alone one by one', () => {
    const { harness } = setUp({ secrets: [secret] }, { userQuota: 1 })
    for (const seconds of [100, 200]) {
      expect(new RestClient(harness).allocate(text(`${start + seconds}`)).class).toBe('success')
    }
    expect(codeOf(new RestClient(harness).allocate(text(`${start + 100}`)))).toBe(486)
  })
})

describe('An allocation', () => {
  it('is not for another name of the same user: 441', () => {
    const { client } = setUp({ secrets: [secret] })
    client.allocate(text(live))
    expect(codeOf(client.refresh(text(`${start + 7200}:alice`)))).toBe(441)
    expect(client.refresh(text(live)).class).toBe('success')
  })
})

function keyOf(name: string, used: Uint8Array): Uint8Array {
  return longTermKey(name, realm, sharedSecretPassword(name, used))
}

function setUp(
  credentials: Omit<CredentialsOptions, 'realm'>,
  options: ConstructorParameters<typeof TurnHarness>[0] = {},
) {
  const clock = { step: 0 }
  const harness: TurnHarness = new TurnHarness({
    credentials: credentialStore({ realm, ...credentials }),
    epochSeconds: () => (start + clock.step + (harness.now - began) / 1000) as EpochSeconds,
    ...options,
  })
  const began = harness.now
  return { clock, harness, client: new RestClient(harness) }
}

/** Signs by RFC 5389, over the name's bytes as they are. */
class RestClient {
  readonly raw: RawClient
  readonly nonce: string

  constructor(harness: TurnHarness) {
    this.raw = new RawClient(harness)
    this.nonce = this.raw.challenge().get('NONCE')!
  }

  encodeAllocate(name: Uint8Array, used = secret): Uint8Array {
    return this.#encode('Allocate', [], name, used)
  }

  allocate(name: Uint8Array, used = secret): Message {
    return this.raw.exchange(this.#encode('Allocate', [], name, used))!
  }

  refresh(name: Uint8Array, used = secret): Message {
    return this.raw.exchange(this.#encode('Refresh', [], name, used))!
  }

  permit(name: Uint8Array): Message {
    return this.raw.exchange(this.#encode('CreatePermission', [['XOR-PEER-ADDRESS', peerA]], name, secret))!
  }

  #encode(
    method: 'Allocate' | 'Refresh' | 'CreatePermission',
    attributes: readonly Attribute[],
    name: Uint8Array,
    used: Uint8Array,
  ): Uint8Array {
    let end = name.length
    while (end > 0 && name[end - 1] === 0) end--
    const counted = name.subarray(0, end)
    const password = createHmac('sha1', used).update(counted).digest('base64')
    const key = createHash('md5').update(counted).update(`:${realm}:${password}`).digest()
    return this.raw.encode({
      method,
      username: name,
      attributes: [...attributes, ['REALM', realm], ['NONCE', this.nonce]],
      integrity: [{ algorithm: 'sha1', key }],
    })
  }
}

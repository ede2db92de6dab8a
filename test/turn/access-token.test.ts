import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { EpochSeconds } from '../../src/core/time.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { IntegrityAlgorithm } from '../../src/stun/integrity.ts'
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { openToken } from '../../src/turn/access-token.ts'
import { credentialStore } from '../../src/turn/credentials.ts'
import { hex } from '../support/hex.ts'
import { RawClient, signatureOf } from '../support/signing.ts'
import { codeOf, peerA, realm, TurnHarness, text } from '../support/turn-harness.ts'

const longTermKey = text('HGkj32KJGiuy098sdfaqbNjOiaz71923')
const serverName = text('blackdow.carleon.gov')
const macKey = text('ZksjpweoixXmvn67534m')

describe('A token of RFC 7635 appendix A', () => {
  const samples: [string, Uint8Array, string][] = [
    [
      'AEAD_AES_256_GCM',
      longTermKey,
      `000c68346a336b326c326e346235617ef134a3d5e44e9a19cc7dc104b0c03d03
       b2a551d8fdf5cd3b6dca6f10cfb77e5b2ddec84d293a5c50499359f0c2e26f76`,
    ],
    [
      'AEAD_AES_128_GCM',
      longTermKey.subarray(0, 16),
      `000c68346a336b326c326e3462357fb9e99f0827be3df1e1bd651493d3031d36
       df57079784aee5eacb65fad4f27fab1a3f97974b69f851b24bf5af09eda357e0`,
    ],
  ]
  it.each(samples)('is opened: %s', (_name, key, digits) => {
    const token = hex(digits)
    const expected = { macKey, timestamp: 92470300704768 / 65536, lifetime: 3600 }
    expect(openToken(token, key, serverName)).toEqual(expected)
    expect(openToken(text(Buffer.from(token).toString('base64')), key, serverName)).toEqual(expected)
    expect(openToken(token, key.slice().fill(0), serverName)).toBeUndefined()
    expect(openToken(token, key, text('other.carleon.gov'))).toBeUndefined()
  })

  it.each(samples)(
    'is nothing when a bit of it is wrong, or its end is missing: %s',
    (_name, key, digits) => {
      const token = hex(digits)
      for (let bit = 0; bit < token.length * 8; bit++) {
        const wrong = token.slice()
        wrong[bit >> 3]! ^= 1 << (bit & 7)
        expect(openToken(wrong, key, serverName)).toBeUndefined()
      }
      for (let length = 0; length < token.length; length++) {
        expect(openToken(token.subarray(0, length), key, serverName)).toBeUndefined()
      }
    },
  )
})

describe('What a token holds', () => {
  const blocks: [string, Uint8Array, boolean][] = [
    ['a key of 20 bytes', block(20), true],
    ['a key of 64 bytes', block(64), true],
    ['a key of 65 bytes', block(65), false],
    ['a key of 15 bytes', block(15), false],
    ['no key', block(0), false],
    ['nothing', new Uint8Array(0), false],
    ['one byte', new Uint8Array(1), false],
    ['a key longer than the block', Uint8Array.of(0, 60, ...block(20).subarray(2)), false],
    ['more than it should', Uint8Array.of(...block(20), 0), false],
  ]
  it.each(blocks)('%s: %3$s is whether that is a token', (_name, plain, isToken) => {
    const token = seal(plain, longTermKey, 'server')
    expect(openToken(token, longTermKey, text('server')) !== undefined).toBe(isToken)
  })

  it('is not looked at beyond 512 bytes, nor with a nonce that is not of 12', () => {
    expect(openToken(new Uint8Array(513), longTermKey, serverName)).toBeUndefined()
    expect(openToken(Uint8Array.of(0, 200, ...new Uint8Array(250)), longTermKey, serverName)).toBeUndefined()
    expect(openToken(text('not base64 at all!'), longTermKey, serverName)).toBeUndefined()
    expect(openToken(text('AAAAA'), longTermKey, serverName)).toBeUndefined()
  })
})

const start = 1_700_000_000
const keys = [
  { kid: 'north', key: longTermKey },
  { kid: 'union', key: longTermKey.slice(0, 16) },
]

describe('A server with token keys', () => {
  it('tells its name in the 401, and asks for no hash of a user name', () => {
    const answer = setUp({ serverName: 'turn.example.org' }).raw.challenge()
    expect(answer.get('THIRD-PARTY-AUTHORIZATION')).toBe('turn.example.org')
    expect(answer.types()).toEqual([0x0009, 0x0014, 0x0015, 0x802e])
    expect(answer.get('NONCE')).toMatch(/^obMatJos2AAAA/)
  })

  it('goes by the realm where it has no other name', () => {
    expect(setUp().raw.challenge().get('THIRD-PARTY-AUTHORIZATION')).toBe(realm)
  })

  it.each(['north', 'union'])(
    'serves who shows a token sealed with %s, and signs with the session key',
    (kid) => {
      const client = setUp()
      const answer = client.allocate({ kid })
      expect(answer.class).toBe('success')
      expect(signatureOf(answer, macKey)).toBe('sha1')
    },
  )

  it('serves who signs with 16 bytes of a session key of 20, as coturn does, and answers likewise', () => {
    const client = setUp()
    const half = macKey.subarray(0, 16)
    expect(signatureOf(client.allocate({ signedWith: half }), half)).toBe('sha1')
    expect(signatureOf(client.send('Refresh', { signedWith: half }), half)).toBe('sha1')
    const permit = { token: null, signedWith: half }
    expect(client.send('CreatePermission', permit, [['XOR-PEER-ADDRESS', peerA]]).class).toBe('success')
    expect(codeOf(setUp().allocate({ macKey: new Uint8Array(32).fill(7), signedWith: half }))).toBe(401)
  })

  it('takes MESSAGE-INTEGRITY-SHA256 with a session key of 32 bytes, and answers with it', () => {
    const client = setUp()
    const longKey = new Uint8Array(32).fill(9)
    const answer = client.allocate({ macKey: longKey, algorithm: 'sha256' })
    expect(signatureOf(answer, longKey)).toBe('sha256')
  })

  const refusals: [string, Partial<TokenRequest>][] = [
    ['of an unknown key', { kid: 'south' }],
    ['sealed with the key of another name', { kid: 'union', sealedWith: longTermKey }],
    ['made for another server', { server: 'example.com' }],
    ['with an integrity of another session key', { signedWith: text('another session key.') }],
    ['that is over', { timestamp: start - 106 }],
    ['of the future', { timestamp: start + 106 }],
    ['with a lifetime of 0, six seconds old', { lifetime: 0, timestamp: start - 6 }],
    ['of the year 10,895,000', { timestamp: 2 ** 48 - 1 }],
    ['that is none', { token: new Uint8Array(64) }],
    ['that is empty', { token: new Uint8Array(0) }],
  ]
  it.each(refusals)('answers 401 to a token %s', (_name, request) => {
    const answer = setUp().allocate(request)
    expect(codeOf(answer)).toBe(401)
    expect(answer.has('THIRD-PARTY-AUTHORIZATION')).toBe(true)
  })

  it.each([
    ['just made', start, 100 + 5],
    ['at its last second', start - 104, 1],
    ['a little ahead of our clock', start + 4, 101],
    ['100 seconds ahead, which its lifetime allows', start + 100, 5],
  ])('grants a token %s at most what is left of it, clock skew included', (_name, timestamp, seconds) => {
    const client = setUp()
    expect(client.allocate({ timestamp, lifetime: 100 }).get('LIFETIME')).toBe(seconds)
  })

  it('grants no more than usual to a token that lasts for years', () => {
    const client = setUp()
    expect(client.allocate({ lifetime: 2 ** 32 - 1 }, [['LIFETIME', 7200]]).get('LIFETIME')).toBe(3600)
  })

  it('goes by the session key of the allocation where a request has no token', () => {
    const client = setUp()
    client.allocate()
    const permitted = client.send('CreatePermission', { token: null }, [['XOR-PEER-ADDRESS', peerA]])
    expect(permitted.class).toBe('success')
    expect(signatureOf(permitted, macKey)).toBe('sha1')
    expect(codeOf(client.send('CreatePermission', { token: null, signedWith: text('x') }))).toBe(401)
    // A token is for Allocate and Refresh: elsewhere it is not looked at.
    const ignored = client.send('CreatePermission', { token: text('x') }, [['XOR-PEER-ADDRESS', peerA]])
    expect(ignored.class).toBe('success')
  })

  it('refuses a request without token and allocation', () => {
    expect(codeOf(setUp().send('CreatePermission', { token: null }))).toBe(401)
  })

  it('refreshes with a new token, of another key even, and goes on with its session key', () => {
    const client = setUp()
    client.allocate({ lifetime: 600 })
    client.harness.elapse(300)
    const newKey = text('a new session key..!')
    const fresh = { kid: 'union', macKey: newKey, timestamp: start + 300, lifetime: 900 }
    const refreshed = client.send('Refresh', fresh)
    expect(refreshed.get('LIFETIME')).toBe(600)
    expect(signatureOf(refreshed, newKey)).toBe('sha1')
    const permit = { kid: 'union', token: null, signedWith: newKey }
    expect(client.send('CreatePermission', permit, [['XOR-PEER-ADDRESS', peerA]]).class).toBe('success')
  })

  it('refuses a Refresh with a token that is over, and one without when the allocation\u2019s own is', () => {
    const client = setUp({ nonceLifetime: 3600 })
    client.allocate({ lifetime: 600 })
    client.harness.elapse(599)
    expect(client.send('Refresh', { token: null }).get('LIFETIME')).toBe(6)
    client.harness.elapse(5.5)
    expect(client.send('Refresh', { lifetime: 600 }).get('LIFETIME')).toBe(1)
    client.harness.elapse(0.6)
    expect(codeOf(client.send('Refresh', { lifetime: 600 }))).toBe(401)
    expect(codeOf(client.send('Refresh', { token: null }))).toBe(401)
  })

  it('lets nobody refresh with a token what a user has made, nor the other way round', () => {
    const users = [{ name: 'alice', password: 'wonder' }]
    const credentials = credentialStore({ realm, users })
    const client = setUp({ credentials })
    const alice = client.harness.client('alice', 'wonder', client.raw.address)
    alice.allocate()
    expect(codeOf(client.send('Refresh'))).toBe(441)
    const other = setUp({ credentials })
    other.allocate()
    const second = other.harness.client('alice', 'wonder', other.raw.address)
    expect(codeOf(second.request('Refresh'))).toBe(441)
  })

  it('counts, for the quota, who shares a token as one', () => {
    const client = setUp({ userQuota: 1 })
    expect(client.allocate().class).toBe('success')
    const same = new TokenClient(client.harness)
    expect(codeOf(same.allocate())).toBe(486)
    expect(same.allocate({ macKey: text('another session key.') }).class).toBe('success')
  })
})

describe('A server without token keys', () => {
  it('answers 420 to an ACCESS-TOKEN, unsigned and small', () => {
    const client = new TokenClient(new TurnHarness())
    const answer = client.allocate()
    expect(codeOf(answer)).toBe(420)
    expect(answer.get('UNKNOWN-ATTRIBUTES')).toEqual([0x001b])
    expect(answer.bytes.length).toBeLessThan(44)
  })
})

interface TokenRequest {
  readonly kid: string
  readonly macKey: Uint8Array
  readonly timestamp: number
  readonly lifetime: number
  readonly server: string
  readonly sealedWith: Uint8Array
  readonly signedWith: Uint8Array
  readonly algorithm: IntegrityAlgorithm
  /** In place of one that is made of the above; null: none. */
  readonly token: Uint8Array | null
}

function setUp(options: ConstructorParameters<typeof TurnHarness>[0] = {}): TokenClient {
  const harness: TurnHarness = new TurnHarness({
    credentials: undefined,
    tokenKeys: keys,
    epochSeconds: () => (start + (harness.now - began) / 1000) as EpochSeconds,
    ...options,
  })
  const began = harness.now
  return new TokenClient(harness)
}

class TokenClient {
  readonly harness: TurnHarness
  readonly raw: RawClient
  readonly #nonce: string

  constructor(harness: TurnHarness) {
    this.harness = harness
    this.raw = new RawClient(harness)
    this.#nonce = this.raw.challenge().get('NONCE')!
  }

  allocate(request: Partial<TokenRequest> = {}, attributes: readonly Attribute[] = []): Message {
    return this.send('Allocate', request, attributes)
  }

  send(
    method: MethodName,
    request: Partial<TokenRequest> = {},
    attributes: readonly Attribute[] = [],
  ): Message {
    const { kid = 'north', macKey: sessionKey = macKey, timestamp = start, lifetime = 100 } = request
    const sealedWith = request.sealedWith ?? keys.find((key) => key.kid === kid)?.key ?? longTermKey
    const plain = block(sessionKey.length, sessionKey, timestamp, lifetime)
    const token =
      request.token === undefined ? seal(plain, sealedWith, request.server ?? realm) : request.token
    const shown: Attribute[] = token === null ? [] : [['ACCESS-TOKEN', token]]
    return this.raw.send({
      method,
      attributes: [...attributes, ...shown, ['USERNAME', kid], ['REALM', realm], ['NONCE', this.#nonce]],
      integrity: [{ algorithm: request.algorithm ?? 'sha1', key: request.signedWith ?? sessionKey }],
    })!
  }
}

/** RFC 7635 §6.2, figure 4: what is sealed. */
function block(
  length: number,
  key: Uint8Array = new Uint8Array(length).fill(7),
  timestamp = start,
  lifetime = 100,
): Uint8Array {
  const bytes = new Uint8Array(2 + length + 12)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, length)
  bytes.set(key, 2)
  view.setBigUint64(2 + length, BigInt(timestamp) << 16n)
  view.setUint32(2 + length + 8, lifetime)
  return bytes
}

function seal(plain: Uint8Array, key: Uint8Array, server: string): Uint8Array {
  const nonce = text('h4j3k2l2n4b5')
  const cipher = createCipheriv(key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm', key, nonce)
  cipher.setAAD(text(server))
  const sealed = [...cipher.update(plain), ...cipher.final()]
  return Uint8Array.of(0, nonce.length, ...nonce, ...sealed, ...cipher.getAuthTag())
}

import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey, longTermKeySha256, shortTermKey, userHash } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { formatNonceCookie, parseNonceCookie } from '../../src/stun/nonce-cookie.ts'
import { hex } from '../support/hex.ts'

/** RFC 8489 B.1: a Binding request with USERHASH and MESSAGE-INTEGRITY-SHA256. */
const sample = hex(`
  0001009c 2112a442 78ad3433 c6ad72c0 29da412e
  001e0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2 05c46e41 407f1704
  00150029 6f624d61 744a6f73 32414141 43662f2f 3439396b 39353464 364f4c33 346f4c39 46535476 79363473 41000000
  0014000b 6578616d 706c652e 6f726700
  001c0020 e4686c8f 0edeb590 13e07090 010a93ef ccbccc54 4c0a45d9 f830aa6d 6f735a01`)
const username = '\u30de\u30c8\u30ea\u30c3\u30af\u30b9'
const realm = 'example.org'
/** As the RFC has it after its preparation, which was SASLprep: OpaqueString refuses the soft hyphen in the original. */
const password = 'TheMatrIX'
const nonce = 'obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA'

describe('The request of RFC 8489 B.1', () => {
  const key = { algorithm: 'sha256', key: longTermKeySha256(username, realm, password) } as const
  const integrityAt = sample.length - 36

  it('carries the HMAC-SHA256 of what stands before it, under the key of password algorithm SHA-256', () => {
    const hmac = createHmac('sha256', key.key).update(sample.subarray(0, integrityAt)).digest()
    expect(new Uint8Array(hmac)).toEqual(sample.subarray(integrityAt + 4))
  })

  it('is refused as it stands: its length field counts 20 bytes that are not printed', () => {
    expect(decodeMessage(sample)).toBe('wrong-length')
  })

  it('is read and written byte for byte with the right length, and the integrity that goes with it', () => {
    const corrected = sample.slice()
    corrected[3] = sample.length - 20
    const attributes: Attribute[] = [
      ['USERHASH', userHash(username, realm)],
      ['NONCE', nonce],
      ['REALM', realm],
    ]
    const bytes = encodeMessage(
      { class: 'request', method: 'Binding', transactionId: sample.subarray(8, 20), attributes },
      { integrity: [key] },
    )
    expect(bytes.subarray(0, integrityAt + 4)).toEqual(corrected.subarray(0, integrityAt + 4))
    const message = decoded(bytes)
    for (const [name, value] of attributes) expect(message.get(name)).toEqual(value)
    expect(checkIntegrity(message, key)).toBe(true)
    expect(checkIntegrity(message, { ...key, key: longTermKeySha256(username, realm, 'other') })).toBe(false)
  })
})

describe('Long-term keys', () => {
  it('are, as the RFC has it, MD5 over user, realm and password', () => {
    expect(longTermKey('user', 'realm', 'pass')).toEqual(hex('8493fbc53ba582fb4c044c456bdc40eb'))
  })

  it('are SHA-256 over the same by that algorithm', () => {
    const digest = '07e934117abd40836e7c6329b54731b2b2d2a5f9a71f544922d75e0730d8251b'
    expect(longTermKeySha256('user', 'realm', 'pass')).toEqual(hex(digest))
  })

  it('are the same for every spelling of realm and password', () => {
    const composed = longTermKeySha256('user', 'r\u00e9alm', 'p\u00e4ss word')
    expect(longTermKeySha256('user', 're\u0301alm', 'pa\u0308ss\u00a0word')).toEqual(composed)
    expect(longTermKey('user', 're\u0301alm', 'p')).toEqual(longTermKey('user', 'r\u00e9alm', 'p'))
    expect(shortTermKey('pa\u0308ss')).toEqual(shortTermKey('p\u00e4ss'))
    expect(userHash('zo\u0065\u0308', 're\u0301alm')).toEqual(userHash('zo\u00eb', 'r\u00e9alm'))
  })

  it('take a password that OpaqueString refuses as it is, as browsers do', () => {
    const family = '\u{1f468}\u200d\u{1f469}'
    expect(longTermKey('u', 'r', family)).not.toEqual(longTermKey('u', 'r', '\u{1f468}\u{1f469}'))
    expect(shortTermKey(family)).toEqual(new TextEncoder().encode(family))
  })
})

describe('The nonce cookie', () => {
  const cookies: [string, boolean, boolean][] = [
    ['obMatJos2AAAA', false, false],
    ['obMatJos2gAAA', true, false],
    ['obMatJos2QAAA', false, true],
    ['obMatJos2wAAA', true, true],
  ]
  it.each(cookies)(
    '%s says: password algorithms %s, user anonymity %s',
    (cookie, passwordAlgorithms, userAnonymity) => {
      expect(formatNonceCookie({ passwordAlgorithms, userAnonymity })).toBe(cookie)
      expect(parseNonceCookie(`${cookie}0123`)).toEqual({ passwordAlgorithms, userAnonymity })
    },
  )

  it.each(['', 'obMatJos2', 'obMatJos2gAA', 'xbMatJos2gAAA', 'obMatJos2*AAA', '0123456789abcdef'])(
    'is not in %j',
    (nonceWithout) => {
      expect(parseNonceCookie(nonceWithout)).toBeUndefined()
    },
  )
})

function decoded(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

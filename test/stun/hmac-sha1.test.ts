import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hmacSha1 } from '../../src/stun/hmac-sha1.ts'

const ascii = (text: string) => new TextEncoder().encode(text)
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** RFC 2202 §3. */
const vectors: readonly [string, Uint8Array, Uint8Array, string][] = [
  ['1', hex('0b'.repeat(20)), ascii('Hi There'), 'b617318655057264e28bc0b6fb378c8ef146be00'],
  ['2', ascii('Jefe'), ascii('what do ya want for nothing?'), 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
  ['3', hex('aa'.repeat(20)), hex('dd'.repeat(50)), '125d7342b9ac11cd91a39af48aa17b4f63f175d3'],
  [
    '4',
    hex('0102030405060708090a0b0c0d0e0f10111213141516171819'),
    hex('cd'.repeat(50)),
    '4c9007f4026250c6bc8414f9bf50c86c2d7235da',
  ],
  ['5', hex('0c'.repeat(20)), ascii('Test With Truncation'), '4c1a03424b55e07fe7f27be1d58bb9324a9a5a04'],
  [
    '6',
    hex('aa'.repeat(80)),
    ascii('Test Using Larger Than Block-Size Key - Hash Key First'),
    'aa4ae5e15272d00e95705637ce8a3b55ed402112',
  ],
  [
    '7',
    hex('aa'.repeat(80)),
    ascii('Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data'),
    'e8e99d0f45237d786d6bbaa7965c7808bbff1a91',
  ],
]

describe('HMAC-SHA1', () => {
  it.each(vectors)('gives the digest of RFC 2202 case %s', (_case, key, message, digest) => {
    expect(toHex(hmacSha1(key, message))).toBe(digest)
  })

  it('agrees with node:crypto for every length across its block and size limits', () => {
    const key = hex('00112233445566778899aabbccddeeff')
    for (let length = 0; length <= 600; length++) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255)
      expect(toHex(hmacSha1(key, message))).toBe(createHmac('sha1', key).update(message).digest('hex'))
    }
  })

  it('agrees with node:crypto for any key and message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 700 }), (key, message) => {
        expect(toHex(hmacSha1(key, message))).toBe(createHmac('sha1', key).update(message).digest('hex'))
      }),
    )
  })

  it('takes the key as it is now, also when its owner has changed the array since', () => {
    const key = hex('01020304')
    const message = ascii('message')
    hmacSha1(key, message)
    key[0] = 9
    expect(toHex(hmacSha1(key, message))).toBe(createHmac('sha1', key).update(message).digest('hex'))
  })
})

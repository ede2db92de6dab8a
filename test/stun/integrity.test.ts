import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import {
  checkFingerprint,
  checkIntegrity,
  type IntegrityAlgorithm,
  integritySize,
} from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { always } from '../support/property.ts'
import { seededRandom } from '../support/random.ts'

const key = shortTermKey('secret')
const algorithms: IntegrityAlgorithm[] = ['sha1', 'sha256']
const message = {
  class: 'request',
  method: 'Binding',
  transactionId: new Uint8Array(12),
  attributes: [['USERNAME', 'user']],
} as const

function decoded(bytes: Uint8Array): Message {
  const read = decodeMessage(bytes)
  if (typeof read === 'string') throw new Error(read)
  return read
}

describe.each(algorithms)('the integrity by %s', (algorithm) => {
  it('is the HMAC of what stands before it, with the length that ends with it', () => {
    const bytes = encodeMessage(message, { integrity: [{ algorithm, key }], fingerprint: true })
    const at = bytes.length - 8 - integritySize({ algorithm, key })
    const covered = bytes.slice(0, at)
    covered[3] = at + integritySize({ algorithm, key }) - 20
    const expected = createHmac(algorithm, key).update(covered).digest()
    expect(bytes.subarray(at + 4, bytes.length - 8)).toEqual(new Uint8Array(expected))
  })

  it('is right under its own key and no other, of whatever length', () => {
    always(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (right, wrong) => {
        const read = decoded(encodeMessage(message, { integrity: [{ algorithm, key: right }] }))
        expect(checkIntegrity(read, { algorithm, key: right })).toBe(true)
        expect(checkIntegrity(read, { algorithm, key: wrong })).toBe(isSameKey(right, wrong))
      }),
      300,
    )
  })

  it('that is not there is wrong', () => {
    expect(checkIntegrity(decoded(encodeMessage(message)), { algorithm, key })).toBe(false)
  })

  it('is not the other one', () => {
    const other = algorithm === 'sha1' ? 'sha256' : 'sha1'
    const read = decoded(encodeMessage(message, { integrity: [{ algorithm: other, key }] }))
    expect(checkIntegrity(read, { algorithm, key })).toBe(false)
  })
})

/** HMAC pads a key with zeros to its block, and so cannot tell a key from the same one with zeros behind it. */
function isSameKey(x: Uint8Array, y: Uint8Array): boolean {
  const trimmed = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/(00)+$/, '')
  return x.length <= 64 && y.length <= 64 ? trimmed(x) === trimmed(y) : Buffer.compare(x, y) === 0
}

describe('a truncated MESSAGE-INTEGRITY-SHA256', () => {
  /** RFC 8489 §14.6: 16 to 32 bytes, in steps of four. The length before it ends with it. */
  function truncated(size: number): Message {
    const bytes = new Uint8Array(20 + 4 + size)
    bytes.set(encodeMessage({ ...message, attributes: [] }))
    bytes[3] = 4 + size
    const digest = createHmac('sha256', key).update(bytes.slice(0, 20)).digest().subarray(0, size)
    bytes.set([0, 0x1c, 0, size], 20)
    bytes.set(digest, 24)
    return decoded(bytes)
  }

  it.each([16, 20, 24, 28])('of %i bytes is right only where the usage allows for it', (size) => {
    expect(checkIntegrity(truncated(size), { algorithm: 'sha256', key })).toBe(false)
    expect(checkIntegrity(truncated(size), { algorithm: 'sha256', key }, 16)).toBe(true)
    expect(checkIntegrity(truncated(size), { algorithm: 'sha256', key: shortTermKey('x') }, 16)).toBe(false)
  })

  it('of all 32 bytes is the whole one', () => {
    expect(checkIntegrity(truncated(32), { algorithm: 'sha256', key })).toBe(true)
  })
})

describe('a fingerprint', () => {
  it('is right over the bytes it was made for', () => {
    expect(checkFingerprint(decoded(encodeMessage(message, { fingerprint: true })))).toBe(true)
  })

  it('that is not there is not right', () => {
    expect(checkFingerprint(decoded(encodeMessage(message)))).toBe(false)
  })

  it('covers the integrity', () => {
    const bytes = encodeMessage(message, { integrity: [{ algorithm: 'sha1', key }], fingerprint: true })
    bytes[bytes.length - 10]! ^= 1
    expect(checkFingerprint(decoded(bytes))).toBe(false)
  })
})

it('no bytes of any length have a check throw', () => {
  const random = seededRandom(5)
  let read = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = random.bytes(20 + random.below(30) * 4)
    bytes.set([random.below(4), random.below(256), 0, bytes.length - 20, 0x21, 0x12, 0xa4, 0x42])
    // One attribute that claims to be an integrity or a fingerprint, of any length that fits.
    const type = [0x0008, 0x001c, 0x8028][random.below(3)]!
    if (bytes.length >= 24) bytes.set([type >> 8, type & 255, 0, random.below(bytes.length - 23)], 20)
    const message = decodeMessage(bytes)
    if (typeof message === 'string') continue
    read++
    expect(checkIntegrity(message, { algorithm: 'sha1', key })).toBe(false)
    expect(checkIntegrity(message, { algorithm: 'sha256', key }, 0)).toBe(false)
    expect(checkFingerprint(message)).toBe(false)
  }
  expect(read).toBeGreaterThan(500)
})

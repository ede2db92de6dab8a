import { describe, expect, it } from 'vitest'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NonceIssuer } from '../../src/turn/nonce.ts'
import { seededRandom } from '../support/random.ts'
import { text } from '../support/turn-harness.ts'

const random = seededRandom(7)
const features = { passwordAlgorithms: true, userAnonymity: true }
const client = TransportAddress.parse('192.0.2.1:40000')
const now: Instant = instant(5_000_000)
const nonces = new NonceIssuer(random.bytes(32), 600, features)

describe('a nonce', () => {
  it('is good for the client that it was issued to, and says so every time', () => {
    const nonce = text(nonces.issue(client, now))
    expect(nonces.isValid(nonce, client, now)).toBe(true)
    expect(nonces.isValid(nonce, client, later(now, 60_000))).toBe(true)
  })

  const others: [string, TransportAddress][] = [
    ['another port', client.withPort(40_001)],
    ['another IPv4 address', TransportAddress.parse('192.0.2.2:40000')],
    ['an IPv6 address', TransportAddress.parse('[2001:db8::1]:40000')],
  ]
  it.each(others)('is worth nothing at %s', (_name, other) => {
    expect(nonces.isValid(text(nonces.issue(client, now)), other, now)).toBe(false)
  })

  const ages: [number, boolean][] = [
    [0, true],
    [599, true],
    [600, false],
    [601, false],
    [86_400 * 365, false],
  ]
  it.each(ages)('of %i seconds is valid: %s', (seconds, isValid) => {
    const nonce = text(nonces.issue(client, now))
    expect(nonces.isValid(nonce, client, later(now, seconds * 1000))).toBe(isValid)
  })

  it('of the future is not valid', () => {
    const nonce = text(nonces.issue(client, later(now, 10_000)))
    expect(nonces.isValid(nonce, client, now)).toBe(false)
  })

  it('of another server is not valid', () => {
    const other = new NonceIssuer(random.bytes(32), 600, features)
    expect(nonces.isValid(text(other.issue(client, now)), client, now)).toBe(false)
  })

  it('that differs in any bit is not valid', () => {
    const nonce = text(nonces.issue(client, now))
    for (let bit = 0; bit < nonce.length * 8; bit++) {
      const forged = nonce.slice()
      forged[bit >> 3]! ^= 1 << (bit & 7)
      expect(nonces.isValid(forged, client, now), `bit ${bit}`).toBe(false)
    }
  })

  it('is judged without an exception, whatever the bytes and their number', () => {
    const { length } = nonces.issue(client, now)
    for (let size = 0; size <= length + 3; size++) {
      for (const byte of [0x00, 0x41, 0x7f, 0x80, 0xff]) {
        expect(nonces.isValid(new Uint8Array(size).fill(byte), client, now)).toBe(false)
      }
    }
    for (let round = 0; round < 2_000; round++) {
      expect(nonces.isValid(random.bytes(length), client, now)).toBe(false)
    }
  })
})

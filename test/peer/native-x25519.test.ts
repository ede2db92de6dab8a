/** X25519 for werift: the vector of RFC 7748, and that werift's handshake goes through it. */

import { describe, expect, it, onTestFinished } from 'vitest'
import { keyPair, sharedSecret, tweetNaclOfWerift } from '../../src/peer/native-x25519.ts'
import { PeerConnection } from '../../src/peer/peer-connection.ts'
import { connectPair } from '../support/peer-pair.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

/** RFC 7748 §6.1. */
const alice = {
  secret: bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  public: bytes('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
}
const bob = {
  secret: bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  public: bytes('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
}
const shared = bytes('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')

describe("X25519 of Node for werift's DTLS", () => {
  it('gives the secret of RFC 7748 §6.1 to both', () => {
    expect(Uint8Array.from(sharedSecret(alice.secret, bob.public))).toEqual(shared)
    expect(Uint8Array.from(sharedSecret(bob.secret, alice.public))).toEqual(shared)
  })

  it('makes pairs that agree, each key in 32 bytes of its own', () => {
    const [one, other] = [keyPair(), keyPair()]
    expect(sharedSecret(one.secretKey, other.publicKey)).toEqual(sharedSecret(other.secretKey, one.publicKey))
    for (const key of [one.publicKey, one.secretKey]) expect(key.buffer.byteLength).toBe(32)
    expect(one.secretKey).not.toEqual(other.secretKey)
  })

  it('takes no public key of low order', () => {
    expect(() => sharedSecret(alice.secret, new Uint8Array(32))).toThrow()
  })

  it('is what a handshake of werift uses', { timeout: 60_000 }, async () => {
    const nacl = tweetNaclOfWerift()!
    expect(nacl.scalarMult).toBe(sharedSecret)
    expect(nacl.box.keyPair).toBe(keyPair)
    let count = 0
    nacl.scalarMult = (scalar, point) => {
      count++
      return sharedSecret(scalar, point)
    }
    onTestFinished(() => {
      nacl.scalarMult = sharedSecret
    })
    const pair = await connectPair(() => new PeerConnection())
    await pair.close()
    // Once at either end.
    expect(count).toBe(2)
  })
})

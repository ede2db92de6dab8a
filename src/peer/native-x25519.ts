/**
 * X25519 (RFC 7748 §5) of Node's OpenSSL in the place of tweetnacl's, for werift's DTLS: the same function, and a handshake
 * takes half as long, because each side does two of them. A public key of low order is a fault here, as RFC 8422 §5.11 has it.
 */

import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'

/** What werift uses of tweetnacl. */
interface TweetNacl {
  scalarMult(scalar: Uint8Array, point: Uint8Array): Uint8Array
  readonly box: { keyPair(): { publicKey: Uint8Array; secretKey: Uint8Array } }
}

/** Ahead of the 32 bytes of a key: RFC 8410 §4 and §7, in DER. */
const spkiHead = Buffer.from('302a300506032b656e032100', 'hex')
const pkcs8Head = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** Replaces it in the copy of tweetnacl that werift has; nothing happens where werift has done without. */
export function useNativeX25519(): void {
  const nacl = tweetNaclOfWerift()
  if (nacl === undefined) return
  nacl.scalarMult = sharedSecret
  nacl.box.keyPair = keyPair
}

export function sharedSecret(scalar: Uint8Array, point: Uint8Array): Uint8Array {
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Head, scalar]),
    format: 'der',
    type: 'pkcs8',
  })
  const publicKey = createPublicKey({ key: Buffer.concat([spkiHead, point]), format: 'der', type: 'spki' })
  return diffieHellman({ privateKey, publicKey })
}

/** Each key in a buffer of its own: werift reads the whole of it. */
export function keyPair(): { publicKey: Uint8Array; secretKey: Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync('x25519', {
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  })
  return {
    publicKey: Uint8Array.from(publicKey.subarray(spkiHead.length)),
    secretKey: Uint8Array.from(privateKey.subarray(pkcs8Head.length)),
  }
}

/** As werift finds it, wherever npm has put it. */
export function tweetNaclOfWerift(): TweetNacl | undefined {
  try {
    const ofWerift = createRequire(createRequire(import.meta.url).resolve('werift'))
    return ofWerift('tweetnacl')
  } catch {
    return undefined
  }
}

/**
 * MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5–§14.7). Checks take the same time
 * whatever the bytes are, and answer false, never throw, for any length.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { attributes } from './attributes.ts'
import { readUint16, readUint32, writeUint16 } from './bytes.ts'
import { hmacSha1 } from './hmac-sha1.ts'
import { headerBytes, type Message } from './message.ts'

export type IntegrityAlgorithm = 'sha1' | 'sha256'

export interface IntegrityKey {
  readonly algorithm: IntegrityAlgorithm
  readonly key: Uint8Array
}

const digestBytes = { sha1: 20, sha256: 32 } as const
const attributeOf = {
  sha1: attributes['MESSAGE-INTEGRITY'].type,
  sha256: attributes['MESSAGE-INTEGRITY-SHA256'].type,
} as const

/** FINGERPRINT is the CRC-32 XORed with this, "STUN" in ASCII (RFC 8489 §14.7). */
const fingerprintMask = 0x5354554e

/** What the attribute takes in a message, its header included. */
export function integritySize(key: IntegrityKey): number {
  return 4 + digestBytes[key.algorithm]
}

/**
 * Writes the integrity attribute at `offset` over all that stands before it, and the length field that the
 * HMAC is taken with (RFC 8489 §14.5). The offset behind it.
 */
export function writeIntegrity(bytes: Uint8Array, offset: number, key: IntegrityKey): number {
  const end = offset + integritySize(key)
  writeUint16(bytes, 2, end - headerBytes)
  const digest = hmac(key, bytes.subarray(0, offset))
  writeUint16(bytes, offset, attributeOf[key.algorithm])
  writeUint16(bytes, offset + 2, digestBytes[key.algorithm])
  bytes.set(digest, offset + 4)
  return end
}

/**
 * Whether the message carries that integrity attribute and it is right under `key`. False when there is none, and when
 * it is shorter than `minimumBytes`: a usage has to allow for truncation by name (RFC 8489 §14.6), and TURN does not.
 */
export function checkIntegrity(
  message: Message,
  { algorithm, key }: IntegrityKey,
  minimumBytes: number = digestBytes[algorithm],
): boolean {
  const offset = algorithm === 'sha1' ? message.integrityOffset : message.integritySha256Offset
  if (offset < 0) return false
  const { bytes } = message
  const length = readUint16(bytes, offset + 2)
  if (length < minimumBytes) return false
  const covered = bytes.slice(0, offset)
  writeUint16(covered, 2, offset + 4 + length - headerBytes)
  const digest = hmac({ algorithm, key }, covered)
  return isSameDigest(bytes.subarray(offset + 4, offset + 4 + length), digest)
}

function hmac({ algorithm, key }: IntegrityKey, covered: Uint8Array): Uint8Array {
  return algorithm === 'sha1' ? hmacSha1(key, covered) : createHmac(algorithm, key).update(covered).digest()
}

/** Whether FINGERPRINT is there and right. */
export function checkFingerprint(message: Message): boolean {
  const offset = message.fingerprintOffset
  return offset >= 0 && readUint32(message.bytes, offset + 4) === crcOf(message.bytes.subarray(0, offset))
}

/** The fingerprint value of a message whose bytes before the attribute are these. */
export function crcOf(bytes: Uint8Array): number {
  return (crc32(bytes) ^ fingerprintMask) >>> 0
}

/** Constant-time. Of a truncated SHA-256 the front is compared. */
function isSameDigest(received: Uint8Array, expected: Uint8Array): boolean {
  return (
    received.length <= expected.length && timingSafeEqual(received, expected.subarray(0, received.length))
  )
}

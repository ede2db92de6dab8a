/**
 * Reads a Send indication in one walk (RFC 8656 §11.2), into an object that is used again for the next: this is
 * the data path, where a message view and an address object per packet would be garbage.
 */

import { mappedPrefix } from '../core/ip.ts'
import type { MutableAddressWords } from '../core/transport-address.ts'
import { attributes } from '../stun/attributes.ts'
import { readUint16, readUint32 } from '../stun/bytes.ts'
import { crcOf } from '../stun/integrity.ts'
import { headerBytes, magicCookie } from '../stun/message.ts'
import { encodeMessageType, methods } from '../stun/methods.ts'

export interface SendIndication {
  readonly peer: MutableAddressWords
  /** The range of the DATA value in the bytes. */
  start: number
  end: number
  /** Whether DONT-FRAGMENT is there. */
  dontFragment: boolean
}

const sendIndicationType = encodeMessageType('indication', methods.Send)
const integrity = attributes['MESSAGE-INTEGRITY'].type
const integritySha256 = attributes['MESSAGE-INTEGRITY-SHA256'].type
const dontFragment = attributes['DONT-FRAGMENT'].type
const fingerprint = attributes.FINGERPRINT.type

export function isSendIndication(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= headerBytes && readUint16(bytes, start) === sendIndicationType
}

/**
 * Reads what stands in `bytes` from `start` to `end` and fills `target`; false, with `target` in an undefined state,
 * for anything that is to be discarded: bad framing or fingerprint, XOR-PEER-ADDRESS or DATA missing or malformed,
 * another comprehension-required attribute. The first of duplicates counts.
 */
export function readSendIndication(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: SendIndication,
): boolean {
  const length = end - start
  if (readUint32(bytes, start + 4) !== magicCookie) return false
  if (readUint16(bytes, start + 2) !== length - headerBytes || (length & 3) !== 0) return false
  let hasPeer = false
  let hasData = false
  target.dontFragment = false
  for (let offset = start + headerBytes; offset < end; ) {
    const type = readUint16(bytes, offset)
    const value = offset + 4
    const valueLength = readUint16(bytes, offset + 2)
    const valueEnd = value + valueLength
    const next = value + ((valueLength + 3) & ~3)
    if (next > end) return false
    if (type === attributes['XOR-PEER-ADDRESS'].type) {
      if (!hasPeer && !readXorAddress(bytes, start, value, valueLength, target.peer)) return false
      hasPeer = true
    } else if (type === attributes.DATA.type) {
      if (!hasData) {
        target.start = value
        target.end = valueEnd
      }
      hasData = true
    } else if (type === dontFragment) {
      if (valueLength !== 0) return false
      target.dontFragment = true
    } else if (type === fingerprint) {
      return (
        next === end &&
        valueLength === 4 &&
        readUint32(bytes, value) === crcOf(bytes.subarray(start, offset)) &&
        hasPeer &&
        hasData
      )
    } else if (type === integrity || type === integritySha256) {
      // Indications are not authenticated (§5), and what follows an integrity is out of sight (RFC 8489 §14.5).
      return hasPeer && hasData
    } else if (type < 0x8000) return false
    offset = next
  }
  return hasPeer && hasData
}

/** `message` is where the message starts: an IPv6 address is XORed with the transaction ID as well. */
function readXorAddress(
  bytes: Uint8Array,
  message: number,
  value: number,
  length: number,
  target: MutableAddressWords,
): boolean {
  const family = length >= 4 ? bytes[value + 1] : 0
  const isIPv4 = family === 1 && length === 8
  if (!isIPv4 && !(family === 2 && length === 20)) return false
  target.port = readUint16(bytes, value + 2) ^ (magicCookie >>> 16)
  target.a = isIPv4 ? 0 : readUint32(bytes, value + 4) ^ magicCookie
  target.b = isIPv4 ? 0 : readUint32(bytes, value + 8) ^ readUint32(bytes, message + 8)
  target.c = isIPv4 ? mappedPrefix : readUint32(bytes, value + 12) ^ readUint32(bytes, message + 12)
  target.d = isIPv4
    ? readUint32(bytes, value + 4) ^ magicCookie
    : readUint32(bytes, value + 16) ^ readUint32(bytes, message + 16)
  return true
}

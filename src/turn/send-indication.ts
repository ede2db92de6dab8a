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
  /** The range of the DATA value in the message. */
  start: number
  end: number
}

const sendIndicationType = encodeMessageType('indication', methods.Send)
const integrity = attributes['MESSAGE-INTEGRITY'].type
const integritySha256 = attributes['MESSAGE-INTEGRITY-SHA256'].type
const fingerprint = attributes.FINGERPRINT.type

export function isSendIndication(bytes: Uint8Array): boolean {
  return bytes.length >= headerBytes && readUint16(bytes, 0) === sendIndicationType
}

/**
 * Fills `target`; false, with `target` in an undefined state, for anything that is to be discarded: bad framing or
 * fingerprint, XOR-PEER-ADDRESS or DATA missing or malformed, another comprehension-required attribute.
 * DONT-FRAGMENT is such another one, for a plain socket cannot set the DF bit. The first of duplicates counts.
 */
export function readSendIndication(bytes: Uint8Array, target: SendIndication): boolean {
  const end = bytes.length
  if (readUint32(bytes, 4) !== magicCookie || readUint16(bytes, 2) !== end - headerBytes || (end & 3) !== 0) {
    return false
  }
  let hasPeer = false
  let hasData = false
  for (let offset = headerBytes; offset < end; ) {
    const type = readUint16(bytes, offset)
    const value = offset + 4
    const valueEnd = value + readUint16(bytes, offset + 2)
    const next = (valueEnd + 3) & ~3
    if (next > end) return false
    if (type === attributes['XOR-PEER-ADDRESS'].type) {
      if (!hasPeer && !readXorAddress(bytes, value, valueEnd, target.peer)) return false
      hasPeer = true
    } else if (type === attributes.DATA.type) {
      if (!hasData) {
        target.start = value
        target.end = valueEnd
      }
      hasData = true
    } else if (type === fingerprint) {
      return (
        next === end &&
        valueEnd - value === 4 &&
        readUint32(bytes, value) === crcOf(bytes, offset) &&
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

function readXorAddress(bytes: Uint8Array, start: number, end: number, target: MutableAddressWords): boolean {
  const family = end - start >= 4 ? bytes[start + 1] : 0
  const isIPv4 = family === 1 && end - start === 8
  if (!isIPv4 && !(family === 2 && end - start === 20)) return false
  target.port = readUint16(bytes, start + 2) ^ (magicCookie >>> 16)
  target.a = isIPv4 ? 0 : readUint32(bytes, start + 4) ^ magicCookie
  target.b = isIPv4 ? 0 : readUint32(bytes, start + 8) ^ readUint32(bytes, 8)
  target.c = isIPv4 ? mappedPrefix : readUint32(bytes, start + 12) ^ readUint32(bytes, 12)
  target.d = isIPv4
    ? readUint32(bytes, start + 4) ^ magicCookie
    : readUint32(bytes, start + 16) ^ readUint32(bytes, 16)
  return true
}

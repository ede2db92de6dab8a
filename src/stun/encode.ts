/** Writing a message (RFC 8489 §5, §14): sized first, then one array written once. */

import { TurnpikeError } from '../core/errors.ts'
import { type Attribute, attributes } from './attributes.ts'
import { writeUint16, writeUint32 } from './bytes.ts'
import type { Codec } from './codecs.ts'
import { crcOf, type IntegrityKey, integritySize, writeIntegrity } from './integrity.ts'
import { headerBytes, magicCookie } from './message.ts'
import { encodeMessageType, type MessageClass, type MethodName, methods } from './methods.ts'

export interface OutgoingMessage {
  readonly class: MessageClass
  readonly method: MethodName | number
  /** 12 bytes. */
  readonly transactionId: Uint8Array
  /** Written in this order. MESSAGE-INTEGRITY and FINGERPRINT are not named here: see EncodeOptions. */
  readonly attributes: readonly Attribute[]
}

export interface EncodeOptions {
  /** Adds one integrity attribute per key, after the attributes. */
  readonly integrity?: readonly IntegrityKey[] | undefined
  /** Adds FINGERPRINT as the last attribute. */
  readonly fingerprint?: boolean | undefined
  /** What padding is filled with; receivers ignore it (RFC 8489 §14). Zero unless a test vector says otherwise. */
  readonly paddingByte?: number
}

/** The encoded message, in a new array owned by the caller. Throws `encode-overflow` beyond 65,535 bytes. */
export function encodeMessage(message: OutgoingMessage, options: EncodeOptions = {}): Uint8Array {
  let size = headerBytes
  for (const [name, value] of message.attributes) size += 4 + padded(codecOf(name).size(value))
  const integrity = options.integrity ?? []
  let total = size + (options.fingerprint === true ? 8 : 0)
  for (const key of integrity) total += integritySize(key)
  if (total - headerBytes > 0xffff) {
    throw new TurnpikeError('encode-overflow', `a STUN message carries at most 65535 bytes, not ${total}`)
  }
  const bytes = new Uint8Array(total)
  writeHeader(message, bytes)
  let offset = headerBytes
  for (const [name, value] of message.attributes) {
    offset = writeAttribute(bytes, offset, name, value, options.paddingByte ?? 0)
  }
  for (const key of integrity) offset = writeIntegrity(bytes, offset, key)
  if (options.fingerprint === true) writeFingerprint(bytes, offset)
  writeUint16(bytes, 2, total - headerBytes)
  return bytes
}

function writeHeader(message: OutgoingMessage, bytes: Uint8Array): void {
  const method = typeof message.method === 'number' ? message.method : methods[message.method]
  writeUint16(bytes, 0, encodeMessageType(message.class, method))
  writeUint32(bytes, 4, magicCookie)
  bytes.set(message.transactionId, 8)
}

function writeAttribute(
  bytes: Uint8Array,
  offset: number,
  name: Attribute[0],
  value: Attribute[1],
  paddingByte: number,
): number {
  const codec = codecOf(name)
  const size = codec.size(value)
  writeUint16(bytes, offset, attributes[name].type)
  writeUint16(bytes, offset + 2, size)
  codec.encode(value, bytes, offset + 4)
  const end = offset + 4 + padded(size)
  if (paddingByte !== 0) bytes.fill(paddingByte, offset + 4 + size, end)
  return end
}

function writeFingerprint(bytes: Uint8Array, offset: number): void {
  writeUint16(bytes, 2, offset + 8 - headerBytes)
  writeUint16(bytes, offset, attributes.FINGERPRINT.type)
  writeUint16(bytes, offset + 2, 4)
  writeUint32(bytes, offset + 4, crcOf(bytes.subarray(0, offset)))
}

/** The tuple type has paired name and value already; the union of all codecs cannot say so. */
function codecOf(name: Attribute[0]): Codec<unknown> {
  return attributes[name].codec as Codec<unknown>
}

function padded(size: number): number {
  return (size + 3) & ~3
}

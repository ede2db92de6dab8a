/**
 * A STUN message as a view over the bytes it arrived in (RFC 8489 §5, §14): nothing is copied, attributes
 * are looked up where they stand. What stands after the message integrity is out of sight (§14.5), and of
 * duplicates the first counts (§14).
 */

import { type AttributeName, type AttributeValue, attributeName, attributes } from './attributes.ts'
import { readUint16, readUint32 } from './bytes.ts'
import type { Codec } from './codecs.ts'
import { classOf, type MessageClass, type MethodName, methodName, methodNumberOf } from './methods.ts'

export const headerBytes = 20
export const magicCookie = 0x2112a442

/** Why bytes are not a STUN message. A reason to count and to drop, never to answer. */
export type DecodeFault =
  | 'too-short'
  | 'not-stun'
  | 'wrong-cookie'
  | 'wrong-length'
  | 'attribute-overrun'
  | 'malformed-integrity'
  | 'malformed-fingerprint'

/** No such attribute. */
const absent = -1

export class Message {
  /** The whole message. Borrowed: good for as long as the caller of `decodeMessage` says. */
  readonly bytes: Uint8Array
  /** Where MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT start; -1 where there is none. */
  readonly integrityOffset: number
  readonly integritySha256Offset: number
  readonly fingerprintOffset: number
  /** Where the attributes end that the integrity covers; all of them when there is no integrity. */
  readonly #visibleEnd: number

  constructor(bytes: Uint8Array, integrity: number, sha256: number, fingerprint: number, visibleEnd: number) {
    this.bytes = bytes
    this.integrityOffset = integrity
    this.integritySha256Offset = sha256
    this.fingerprintOffset = fingerprint
    this.#visibleEnd = visibleEnd
  }

  get class(): MessageClass {
    return classOf(readUint16(this.bytes, 0))
  }

  /** The method's name; undefined for one that no RFC we know defines. */
  get method(): MethodName | undefined {
    return methodName(this.methodNumber)
  }

  get methodNumber(): number {
    return methodNumberOf(readUint16(this.bytes, 0))
  }

  /** The 96-bit transaction ID, as a view of 12 bytes. */
  get transactionId(): Uint8Array {
    return this.bytes.subarray(8, headerBytes)
  }

  has(name: AttributeName): boolean {
    return this.#find(attributes[name].type) !== absent
  }

  /** The first value of that name; undefined if there is none, or if it is malformed (see `malformed`). */
  get<Name extends AttributeName>(name: Name): AttributeValue<Name> | undefined {
    const offset = this.#find(attributes[name].type)
    return offset === absent ? undefined : this.#decode(name, offset)
  }

  /** Every well-formed value of that name, for the attributes that may repeat. */
  all<Name extends AttributeName>(name: Name): AttributeValue<Name>[] {
    const values: AttributeValue<Name>[] = []
    for (const { type, offset } of this.#attributes()) {
      const value = type === attributes[name].type ? this.#decode(name, offset) : undefined
      if (value !== undefined) values.push(value)
    }
    return values
  }

  /** The first value's bytes as they stand on the wire, as a view, well-formed or not. */
  raw(name: AttributeName): Uint8Array | undefined {
    const offset = this.#find(attributes[name].type)
    if (offset === absent) return undefined
    return this.bytes.subarray(offset + 4, offset + 4 + readUint16(this.bytes, offset + 2))
  }

  /** Where the first value of that name starts in `bytes`; -1 if there is none. Makes no object. */
  valueOffset(name: AttributeName): number {
    const offset = this.#find(attributes[name].type)
    return offset === absent ? absent : offset + 4
  }

  /** The attribute types, in order, that are visible. */
  types(): number[] {
    return this.#attributes().map((attribute) => attribute.type)
  }

  /** The first attribute whose value its codec refuses; undefined if all that we know are well-formed. */
  malformed(): AttributeName | undefined {
    for (const { type, offset } of this.#attributes()) {
      const name = attributeName(type)
      if (name !== undefined && !this.#isValid(name, offset)) return name
    }
    return undefined
  }

  #attributes(): { type: number; offset: number }[] {
    const found: { type: number; offset: number }[] = []
    for (let offset = headerBytes; offset < this.#visibleEnd; offset = nextAttribute(this.bytes, offset)) {
      found.push({ type: readUint16(this.bytes, offset), offset })
    }
    if (this.integrityOffset >= this.#visibleEnd) found.push({ type: 0x0008, offset: this.integrityOffset })
    if (this.integritySha256Offset >= this.#visibleEnd) {
      found.push({ type: 0x001c, offset: this.integritySha256Offset })
    }
    if (this.fingerprintOffset >= this.#visibleEnd)
      found.push({ type: 0x8028, offset: this.fingerprintOffset })
    return found
  }

  #find(type: number): number {
    for (let offset = headerBytes; offset < this.#visibleEnd; offset = nextAttribute(this.bytes, offset)) {
      if (readUint16(this.bytes, offset) === type) return offset
    }
    if (type === 0x0008) return this.integrityOffset
    if (type === 0x001c) return this.integritySha256Offset
    return type === 0x8028 ? this.fingerprintOffset : absent
  }

  #decode<Name extends AttributeName>(name: Name, offset: number): AttributeValue<Name> | undefined {
    if (!this.#isValid(name, offset)) return undefined
    const codec: Codec<AttributeValue<Name>> = attributes[name].codec as never
    return codec.decode(this.bytes, offset + 4, offset + 4 + readUint16(this.bytes, offset + 2))
  }

  #isValid(name: AttributeName, offset: number): boolean {
    return attributes[name].codec.isValid(
      this.bytes,
      offset + 4,
      offset + 4 + readUint16(this.bytes, offset + 2),
    )
  }
}

/**
 * Reads a whole message. The bytes are borrowed by the returned view, not copied. Anything that is not exactly
 * one well-framed message gives the reason instead; attribute values are checked when they are looked up.
 */
export function decodeMessage(bytes: Uint8Array): Message | DecodeFault {
  const end = bytes.length
  if (end < headerBytes) return 'too-short'
  if (bytes[0]! > 3) return 'not-stun'
  if (readUint32(bytes, 4) !== magicCookie) return 'wrong-cookie'
  if (readUint16(bytes, 2) !== end - headerBytes || (end & 3) !== 0) return 'wrong-length'
  let integrity = absent
  let sha256 = absent
  let fingerprint = absent
  let visibleEnd = absent
  for (let offset = headerBytes; offset < end; ) {
    const type = readUint16(bytes, offset)
    const length = readUint16(bytes, offset + 2)
    const next = offset + 4 + ((length + 3) & ~3)
    if (next > end) return 'attribute-overrun'
    if (fingerprint !== absent) return 'malformed-fingerprint'
    if (type === 0x8028) {
      if (length !== 4) return 'malformed-fingerprint'
      fingerprint = offset
      if (visibleEnd === absent) visibleEnd = offset
    } else if (type === 0x0008 && integrity === absent && sha256 === absent) {
      if (length !== 20) return 'malformed-integrity'
      integrity = offset
      visibleEnd = offset
    } else if (type === 0x001c && sha256 === absent) {
      if (length < 16 || length > 32 || (length & 3) !== 0) return 'malformed-integrity'
      sha256 = offset
      if (visibleEnd === absent) visibleEnd = offset
    }
    offset = next
  }
  return new Message(bytes, integrity, sha256, fingerprint, visibleEnd === absent ? end : visibleEnd)
}

function nextAttribute(bytes: Uint8Array, offset: number): number {
  return offset + 4 + ((readUint16(bytes, offset + 2) + 3) & ~3)
}

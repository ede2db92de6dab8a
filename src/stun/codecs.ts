/**
 * Value codecs that the attribute table is made of (RFC 8489 §14 and the RFCs named there). A codec sees the
 * whole message, for XOR addresses depend on its header; `start` and `end` bound the value without padding.
 */

import { mappedPrefix } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { readUint16, readUint32, utf8Length, writeUint16, writeUint32, writeUtf8 } from './bytes.ts'

export interface Codec<Value> {
  /** Whether the bytes are a well-formed value. `decode` is called on nothing else. */
  isValid(message: Uint8Array, start: number, end: number): boolean
  decode(message: Uint8Array, start: number, end: number): Value
  /** The size of the encoded value in bytes, without padding. */
  size(value: Value): number
  /** Writes `size(value)` bytes at `offset`. The header of `message` is already written. */
  encode(value: Value, message: Uint8Array, offset: number): void
}

const textDecoder = new TextDecoder()

/** Opaque bytes. The decoded value is a view over the message: copy it to keep it. */
export function bytes(minimum: number, maximum: number): Codec<Uint8Array> {
  return {
    isValid: (_message, start, end) => end - start >= minimum && end - start <= maximum,
    decode: (message, start, end) => message.subarray(start, end),
    size: (value) => value.length,
    encode: (value, message, offset) => message.set(value, offset),
  }
}

/** UTF-8 text of at most `maximum` bytes. Invalid sequences decode to U+FFFD: use `raw` where bytes matter. */
export function text(maximum: number): Codec<string> {
  return {
    isValid: (_message, start, end) => end - start <= maximum,
    decode: (message, start, end) => textDecoder.decode(message.subarray(start, end)),
    size: utf8Length,
    encode: (value, message, offset) => writeUtf8(value, message, offset),
  }
}

/** An attribute that says something by being there. */
export const flag: Codec<true> = {
  isValid: (_message, start, end) => start === end,
  decode: () => true,
  size: () => 0,
  encode: () => {},
}

export const uint32: Codec<number> = {
  isValid: (_message, start, end) => end - start === 4,
  decode: (message, start) => readUint32(message, start),
  size: () => 4,
  encode: (value, message, offset) => writeUint32(message, offset, value),
}

export const uint64: Codec<bigint> = {
  isValid: (_message, start, end) => end - start === 8,
  decode: (message, start) =>
    (BigInt(readUint32(message, start)) << 32n) | BigInt(readUint32(message, start + 4)),
  size: () => 8,
  encode: (value, message, offset) => {
    writeUint32(message, offset, Number(value >> 32n))
    writeUint32(message, offset + 4, Number(value & 0xffffffffn))
  },
}

/** A 16-bit number followed by 16 reserved bits (CHANNEL-NUMBER). */
export const uint16Reserved: Codec<number> = {
  isValid: (_message, start, end) => end - start === 4,
  decode: (message, start) => readUint16(message, start),
  size: () => 4,
  encode: (value, message, offset) => writeUint32(message, offset, value * 0x10000),
}

/** An 8-bit number followed by 24 reserved bits (REQUESTED-TRANSPORT). */
export const uint8Reserved: Codec<number> = {
  isValid: (_message, start, end) => end - start === 4,
  decode: (message, start) => message[start]!,
  size: () => 4,
  encode: (value, message, offset) => writeUint32(message, offset, value * 0x1000000),
}

/** A list of attribute types (UNKNOWN-ATTRIBUTES). */
export const uint16List: Codec<readonly number[]> = {
  isValid: (_message, start, end) => (end - start) % 2 === 0,
  decode: (message, start, end) =>
    Array.from({ length: (end - start) / 2 }, (_, i) => readUint16(message, start + i * 2)),
  size: (value) => value.length * 2,
  encode: (value, message, offset) => {
    value.forEach((type, i) => {
      writeUint16(message, offset + i * 2, type)
    })
  },
}

/** MAPPED-ADDRESS and its kin (RFC 8489 §14.1): family byte, port, address. */
export const address: Codec<TransportAddress> = addressCodec(() => 0)

/** XOR-MAPPED-ADDRESS and its kin (RFC 8489 §14.2): XORed with the magic cookie and the transaction ID. */
export const xorAddress: Codec<TransportAddress> = addressCodec((message, word) =>
  readUint32(message, 4 + word * 4),
)

function addressCodec(mask: (message: Uint8Array, word: number) => number): Codec<TransportAddress> {
  return {
    isValid: (message, start, end) => {
      const family = end - start >= 4 ? message[start + 1] : 0
      return (family === 1 && end - start === 8) || (family === 2 && end - start === 20)
    },
    decode: (message, start) => {
      const port = readUint16(message, start + 2) ^ (mask(message, 0) >>> 16)
      const word = (i: number) => readUint32(message, start + 4 + i * 4) ^ mask(message, i)
      if (message[start + 1] === 1) return new TransportAddress(0, 0, mappedPrefix, word(0), port)
      return new TransportAddress(word(0), word(1), word(2), word(3), port)
    },
    size: (value) => (value.family === 'IPv4' ? 8 : 20),
    encode: (value, message, offset) => {
      const isIPv4 = value.family === 'IPv4'
      message[offset + 1] = isIPv4 ? 1 : 2
      writeUint16(message, offset + 2, value.port ^ (mask(message, 0) >>> 16))
      const words = isIPv4 ? [value.d] : [value.a, value.b, value.c, value.d]
      words.forEach((word, i) => {
        writeUint32(message, offset + 4 + i * 4, word ^ mask(message, i))
      })
    },
  }
}

export type AddressFamily = 'IPv4' | 'IPv6'

/** One family byte and 24 reserved bits (RFC 8656 §18.6). A family that has no name is kept as its number. */
export const addressFamily: Codec<AddressFamily | number> = {
  isValid: (_message, start, end) => end - start === 4,
  decode: (message, start) => familyOf(message[start]!),
  size: () => 4,
  encode: (value, message, offset) => {
    message[offset] = familyNumber(value)
  },
}

export interface StunError {
  readonly code: number
  /** May be empty: the phrase is for people, and costs bytes that a spoofed victim would receive. */
  readonly reason: string
}

/** ERROR-CODE (RFC 8489 §14.8): class 3–6 and number 0–99. */
export const errorCode: Codec<StunError> = {
  isValid: (message, start, end) => end - start >= 4 && end - start <= 4 + 763 && isCode(message, start),
  decode: (message, start, end) => ({
    code: (message[start + 2]! & 7) * 100 + message[start + 3]!,
    reason: textDecoder.decode(message.subarray(start + 4, end)),
  }),
  size: (value) => 4 + utf8Length(value.reason),
  encode: (value, message, offset) => {
    message[offset + 2] = Math.trunc(value.code / 100)
    message[offset + 3] = value.code % 100
    writeUtf8(value.reason, message, offset + 4)
  },
}

/** ADDRESS-ERROR-CODE (RFC 8656 §18.12): an ERROR-CODE that names the family it is about. */
export const addressErrorCode: Codec<StunError & { readonly family: AddressFamily | number }> = {
  isValid: errorCode.isValid,
  decode: (message, start, end) => ({
    family: familyOf(message[start]!),
    ...errorCode.decode(message, start, end),
  }),
  size: errorCode.size,
  encode: (value, message, offset) => {
    message[offset] = familyNumber(value.family)
    errorCode.encode(value, message, offset)
  },
}

/** EVEN-PORT (RFC 8656 §18.7): the R bit, which asks to reserve the next port as well. */
export const evenPort: Codec<{ readonly reserveNext: boolean }> = {
  isValid: (_message, start, end) => end - start === 1,
  decode: (message, start) => ({ reserveNext: (message[start]! & 0x80) !== 0 }),
  size: () => 1,
  encode: (value, message, offset) => {
    message[offset] = value.reserveNext ? 0x80 : 0
  },
}

/**
 * RESPONSE-PORT (RFC 5780 §7.5): a 16-bit number and two bytes of padding.
 * Interop: coturn's clients count the padding in the length, stuntman's do not. It is not counted here.
 */
export const responsePort: Codec<number> = {
  isValid: (_message, start, end) => end - start === 2 || end - start === 4,
  decode: (message, start) => readUint16(message, start),
  size: () => 2,
  encode: (value, message, offset) => writeUint16(message, offset, value),
}

/** CHANGE-REQUEST (RFC 5780 §7.2). */
export const changeRequest: Codec<{ readonly changeIp: boolean; readonly changePort: boolean }> = {
  isValid: (_message, start, end) => end - start === 4,
  decode: (message, start) => ({
    changeIp: (message[start + 3]! & 4) !== 0,
    changePort: (message[start + 3]! & 2) !== 0,
  }),
  size: () => 4,
  encode: (value, message, offset) => {
    message[offset + 3] = (value.changeIp ? 4 : 0) | (value.changePort ? 2 : 0)
  },
}

/** ICMP (RFC 8656 §18.13): what a router said of a packet that the server had relayed. */
export const icmp: Codec<{ readonly type: number; readonly code: number; readonly data: number }> = {
  isValid: (_message, start, end) => end - start === 8,
  decode: (message, start) => ({
    type: message[start + 2]! >> 1,
    code: readUint16(message, start + 2) & 0x1ff,
    data: readUint32(message, start + 4),
  }),
  size: () => 8,
  encode: (value, message, offset) => {
    writeUint16(message, offset + 2, (value.type << 9) | value.code)
    writeUint32(message, offset + 4, value.data)
  },
}

export interface PasswordAlgorithm {
  /** 1 is MD5, 2 is SHA-256 (RFC 8489 §18.5.1). */
  readonly algorithm: number
  readonly parameters: Uint8Array
}

/** PASSWORD-ALGORITHM (RFC 8489 §14.12). */
export const passwordAlgorithm: Codec<PasswordAlgorithm> = {
  isValid: (message, start, end) => nextAlgorithm(message, start, end) === end,
  decode: (message, start) => algorithmAt(message, start),
  size: algorithmSize,
  encode: writeAlgorithm,
}

/** PASSWORD-ALGORITHMS (RFC 8489 §14.11), in the order of the server's preference. */
export const passwordAlgorithms: Codec<readonly PasswordAlgorithm[]> = {
  isValid: (message, start, end) => {
    let at = start
    while (at < end && at >= 0) at = nextAlgorithm(message, at, end)
    return at === end
  },
  decode: (message, start, end) => {
    const list: PasswordAlgorithm[] = []
    for (let at = start; at < end; at = nextAlgorithm(message, at, end)) list.push(algorithmAt(message, at))
    return list
  },
  size: (value) => value.reduce((sum, entry) => sum + algorithmSize(entry), 0),
  encode: (value, message, offset) => {
    for (const entry of value) {
      writeAlgorithm(entry, message, offset)
      offset += algorithmSize(entry)
    }
  },
}

/** Where the entry at `at` ends, its padding included; -1 if it does not fit. */
function nextAlgorithm(message: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1
  const next = at + 4 + ((readUint16(message, at + 2) + 3) & ~3)
  return next <= end ? next : -1
}

function algorithmAt(message: Uint8Array, at: number): PasswordAlgorithm {
  const length = readUint16(message, at + 2)
  return { algorithm: readUint16(message, at), parameters: message.subarray(at + 4, at + 4 + length) }
}

function algorithmSize(value: PasswordAlgorithm): number {
  return 4 + ((value.parameters.length + 3) & ~3)
}

function writeAlgorithm(value: PasswordAlgorithm, message: Uint8Array, offset: number): void {
  writeUint16(message, offset, value.algorithm)
  writeUint16(message, offset + 2, value.parameters.length)
  message.set(value.parameters, offset + 4)
}

function isCode(message: Uint8Array, start: number): boolean {
  const hundreds = message[start + 2]! & 7
  return hundreds >= 3 && hundreds <= 6 && message[start + 3]! <= 99
}

function familyOf(number: number): AddressFamily | number {
  return number === 1 ? 'IPv4' : number === 2 ? 'IPv6' : number
}

function familyNumber(family: AddressFamily | number): number {
  return family === 'IPv4' ? 1 : family === 'IPv6' ? 2 : family
}

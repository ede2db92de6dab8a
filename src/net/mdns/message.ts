/** The little of DNS messages that mDNS names of hosts need (RFC 1035 §4, RFC 6762 §18): questions and addresses. */

import { isIPv4 } from '../../core/ip.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import { readUint16, writeUint16, writeUint32 } from '../../stun/bytes.ts'

export interface MdnsQuestion {
  /** In lower case, without a dot at the end. */
  readonly name: string
  readonly type: number
  /** The asker prefers an answer to itself alone (RFC 6762 §5.4). */
  readonly wantsUnicast: boolean
}

export interface MdnsAddress {
  readonly name: string
  /** The port is 0. */
  readonly address: TransportAddress
}

export interface MdnsMessage {
  readonly id: number
  readonly isResponse: boolean
  readonly questions: readonly MdnsQuestion[]
  /** Of all sections. Records of other types are left out. */
  readonly addresses: readonly MdnsAddress[]
}

export const recordTypes = { A: 1, AAAA: 28, any: 255 } as const

const internet = 1
/** In questions: unicast wanted; in records: others of this name are to be forgotten (RFC 6762 §10.2). */
const topBit = 0x8000
const responseFlags = 0x8400
/** RFC 6762 §10: the TTL of records that name a host. */
const ttl = 120
const headerBytes = 12

/** Asks for the addresses of both families. */
export function encodeQuery(name: string): Uint8Array {
  const encoded = encodeName(name)
  const bytes = new Uint8Array(headerBytes + 2 * (encoded.length + 4))
  writeUint16(bytes, 4, 2)
  let at = headerBytes
  for (const type of [recordTypes.A, recordTypes.AAAA]) {
    bytes.set(encoded, at)
    writeUint16(bytes, at + encoded.length, type)
    writeUint16(bytes, at + encoded.length + 2, internet)
    at += encoded.length + 4
  }
  return bytes
}

/** `id` is that of the query where the answer goes to a plain DNS client (RFC 6762 §6.7), else 0. */
export function encodeAnswer({ name, address }: MdnsAddress, id: number): Uint8Array {
  const encoded = encodeName(name)
  const isV4 = isIPv4(address)
  const data = isV4 ? 4 : 16
  const bytes = new Uint8Array(headerBytes + encoded.length + 10 + data)
  writeUint16(bytes, 0, id)
  writeUint16(bytes, 2, responseFlags)
  writeUint16(bytes, 6, 1)
  bytes.set(encoded, headerBytes)
  const at = headerBytes + encoded.length
  writeUint16(bytes, at, isV4 ? recordTypes.A : recordTypes.AAAA)
  writeUint16(bytes, at + 2, internet | topBit)
  writeUint32(bytes, at + 4, ttl)
  writeUint16(bytes, at + 8, data)
  const words = isV4 ? [address.d] : [address.a, address.b, address.c, address.d]
  for (const [i, word] of words.entries()) writeUint32(bytes, at + 10 + i * 4, word)
  return bytes
}

/** Undefined for what is not a DNS message: anybody on the network may have sent it. */
export function decodeMdns(bytes: Uint8Array): MdnsMessage | undefined {
  if (bytes.length < headerBytes) return undefined
  const reader = new Reader(bytes)
  const questions: MdnsQuestion[] = []
  const addresses: MdnsAddress[] = []
  for (let i = readUint16(bytes, 4); i > 0; i--) {
    const name = reader.name()
    const type = reader.uint16()
    const wanted = reader.uint16()
    if (name === undefined || type === undefined || wanted === undefined) return undefined
    questions.push({ name, type, wantsUnicast: (wanted & topBit) !== 0 })
  }
  for (let i = readUint16(bytes, 6) + readUint16(bytes, 8) + readUint16(bytes, 10); i > 0; i--) {
    const name = reader.name()
    const type = reader.uint16()
    reader.skip(6)
    const data = reader.data()
    if (name === undefined || data === undefined) return undefined
    const address = addressOf(type, data)
    if (address !== undefined) addresses.push({ name, address })
  }
  return { id: readUint16(bytes, 0), isResponse: (bytes[2]! & 0x80) !== 0, questions, addresses }
}

function addressOf(type: number | undefined, data: Uint8Array): TransportAddress | undefined {
  const word = (at: number) => (readUint16(data, at) << 16) | readUint16(data, at + 2)
  if (type === recordTypes.A && data.length === 4) return new TransportAddress(0, 0, 0xffff, word(0), 0)
  if (type === recordTypes.AAAA && data.length === 16) {
    return new TransportAddress(word(0), word(4), word(8), word(12), 0)
  }
  return undefined
}

function encodeName(name: string): Uint8Array {
  const labels = name.split('.').map((label) => new TextEncoder().encode(label))
  const bytes = new Uint8Array(labels.reduce((sum, label) => sum + label.length + 1, 1))
  let at = 0
  for (const label of labels) {
    bytes[at] = label.length
    bytes.set(label, at + 1)
    at += label.length + 1
  }
  return bytes
}

/** Limit: a name has at most 127 labels; pointers that go round in a circle end here. */
const maxLabels = 128

class Reader {
  readonly #bytes: Uint8Array
  #at = headerBytes

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  uint16(): number | undefined {
    const at = this.#at
    this.#at += 2
    return this.#at > this.#bytes.length ? undefined : readUint16(this.#bytes, at)
  }

  skip(count: number): void {
    this.#at += count
  }

  data(): Uint8Array | undefined {
    const length = this.uint16()
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined
    const data = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return data
  }

  /** With compression (RFC 1035 §4.1.4). */
  name(): string | undefined {
    const labels: string[] = []
    let at = this.#at
    let end: number | undefined
    for (let i = 0; i < maxLabels; i++) {
      const length = this.#bytes[at]
      if (length === undefined) return undefined
      if (length === 0) {
        this.#at = end ?? at + 1
        return labels.join('.').toLowerCase()
      }
      if (length >= 0xc0) {
        const low = this.#bytes[at + 1]
        if (low === undefined) return undefined
        end ??= at + 2
        at = ((length & 0x3f) << 8) | low
      } else if (length > 63 || at + 1 + length > this.#bytes.length) return undefined
      else {
        labels.push(new TextDecoder().decode(this.#bytes.subarray(at + 1, at + 1 + length)))
        at += length + 1
      }
    }
    return undefined
  }
}

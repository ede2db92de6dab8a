/**
 * Writes what stands before the data in a Data indication (RFC 8656 §11.3), and in a Send indication, which differs
 * from it by its method alone (§11.1), into a buffer that is used again.
 */

import { isIPv4 } from '../core/ip.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import type { AddressWords } from '../core/transport-address.ts'
import { attributes } from '../stun/attributes.ts'
import { readUint32, writeUint16, writeUint32 } from '../stun/bytes.ts'
import { headerBytes, magicCookie } from '../stun/message.ts'
import { encodeMessageType, methods } from '../stun/methods.ts'

/** STUN header, XOR-PEER-ADDRESS with an IPv6 address, and the header of DATA. */
export const longestDataIndicationHeader = headerBytes + 24 + 4

export class DataIndicationWriter {
  readonly #messageType: number
  /** Nobody answers an indication: its transaction ID has only to differ from the others. */
  readonly #idPrefix: readonly [number, number]
  #idCount: number

  constructor(random: Random, method: 'Data' | 'Send' = 'Data') {
    this.#messageType = encodeMessageType('indication', methods[method])
    this.#idPrefix = [randomUint32(random), randomUint32(random)]
    this.#idCount = randomUint32(random)
  }

  /** The number of bytes written to the front of `header`. The data, padded to four bytes, has to follow them. */
  write(header: Uint8Array, peer: AddressWords, dataLength: number): number {
    const addressBytes = isIPv4(peer) ? 8 : 20
    const data = headerBytes + 4 + addressBytes
    this.#idCount = (this.#idCount + 1) >>> 0
    writeUint16(header, 0, this.#messageType)
    writeUint16(header, 2, data + 4 + ((dataLength + 3) & ~3) - headerBytes)
    writeUint32(header, 4, magicCookie)
    writeUint32(header, 8, this.#idPrefix[0])
    writeUint32(header, 12, this.#idPrefix[1])
    writeUint32(header, 16, this.#idCount)
    writeUint16(header, headerBytes, attributes['XOR-PEER-ADDRESS'].type)
    writeUint16(header, headerBytes + 2, addressBytes)
    writeXorAddress(header, headerBytes + 4, peer)
    writeUint16(header, data, attributes.DATA.type)
    writeUint16(header, data + 2, dataLength)
    return data + 4
  }
}

function writeXorAddress(header: Uint8Array, offset: number, address: AddressWords): void {
  const isV4 = isIPv4(address)
  writeUint16(header, offset, isV4 ? 1 : 2)
  writeUint16(header, offset + 2, address.port ^ (magicCookie >>> 16))
  writeUint32(header, offset + 4, (isV4 ? address.d : address.a) ^ magicCookie)
  if (isV4) return
  writeUint32(header, offset + 8, address.b ^ readUint32(header, 8))
  writeUint32(header, offset + 12, address.c ^ readUint32(header, 12))
  writeUint32(header, offset + 16, address.d ^ readUint32(header, 16))
}

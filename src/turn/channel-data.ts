/** The ChannelData message: four bytes before the data (RFC 8656 §12.4). */

import { readUint16, writeUint16 } from '../stun/bytes.ts'

export const channelDataHeaderBytes = 4

/** RFC 8656 §12: the channel numbers a client may bind. */
export const channelNumbers = { min: 0x4000, max: 0x4fff } as const

/** Interop: turnutils_uclient of coturn before 4.17 binds numbers up to here, as RFC 5766 §11 allowed. */
export const legacyChannelMaximum = 0x7fff

export function isChannelNumber(number: number, allowLegacy: boolean): boolean {
  return number >= channelNumbers.min && number <= (allowLegacy ? legacyChannelMaximum : channelNumbers.max)
}

/** The end of the application data in `bytes`; -1 if the datagram is shorter than it claims (RFC 8656 §12.6). */
export function channelDataEnd(bytes: Uint8Array): number {
  if (bytes.length < channelDataHeaderBytes) return -1
  const end = channelDataHeaderBytes + readUint16(bytes, 2)
  return end <= bytes.length ? end : -1
}

export function writeChannelDataHeader(target: Uint8Array, number: number, length: number): void {
  writeUint16(target, 0, number)
  writeUint16(target, 2, length)
}

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

/**
 * Where the application data ends of the ChannelData message that stands in `bytes` from `start` to `end`; -1 if
 * that is shorter than the message claims (RFC 8656 §12.6).
 */
export function channelDataEnd(bytes: Uint8Array, start: number, end: number): number {
  const data = start + channelDataHeaderBytes
  if (data > end) return -1
  const dataEnd = data + readUint16(bytes, start + 2)
  return dataEnd <= end ? dataEnd : -1
}

export function writeChannelDataHeader(target: Uint8Array, number: number, length: number): void {
  writeUint16(target, 0, number)
  writeUint16(target, 2, length)
}

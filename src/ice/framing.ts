/** The framing of ICE over TCP (RFC 4571, RFC 6544 §3): two bytes of length before each packet. */

import { readUint16, writeUint16 } from '../stun/bytes.ts'

const headerBytes = 2
const maxFrameBytes = 0xffff

/** The packet with its length before it, in a new array. Undefined if it is too long for a frame. */
export function encodeFrame(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length > maxFrameBytes) return undefined
  const frame = new Uint8Array(headerBytes + packet.length)
  writeUint16(frame, 0, packet.length)
  frame.set(packet, headerBytes)
  return frame
}

/**
 * Cuts a byte stream into packets. It holds one packet at the most, in an array of its very size, so what a peer sends in
 * small pieces is copied once.
 */
export class FrameReader {
  /** The frame that is incomplete: its header, and when that is known all of it. */
  #frame = new Uint8Array(headerBytes)
  #filled = 0

  /** The packets that `bytes` complete: views over it where they lie in it whole. Empty frames are left out. */
  push(bytes: Uint8Array): Uint8Array[] {
    const packets: Uint8Array[] = []
    let rest = bytes
    while (rest.length > 0) {
      if (this.#filled === 0 && rest.length >= headerBytes) {
        const end = headerBytes + readUint16(rest, 0)
        if (rest.length >= end) {
          if (end > headerBytes) packets.push(rest.subarray(headerBytes, end))
          rest = rest.subarray(end)
          continue
        }
      }
      rest = this.#fill(rest, packets)
    }
    return packets
  }

  /** Takes what the incomplete frame lacks; gives what remains. */
  #fill(bytes: Uint8Array, packets: Uint8Array[]): Uint8Array {
    const taken = bytes.subarray(0, this.#frame.length - this.#filled)
    this.#frame.set(taken, this.#filled)
    this.#filled += taken.length
    if (this.#filled === headerBytes && this.#frame.length === headerBytes) {
      const frame = new Uint8Array(headerBytes + readUint16(this.#frame, 0))
      frame.set(this.#frame)
      this.#frame = frame
    }
    if (this.#filled === this.#frame.length) {
      if (this.#filled > headerBytes) packets.push(this.#frame.subarray(headerBytes))
      this.#frame = new Uint8Array(headerBytes)
      this.#filled = 0
    }
    return bytes.subarray(taken.length)
  }
}

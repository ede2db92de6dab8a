/**
 * Cuts a byte stream into STUN messages and ChannelData messages (RFC 8489 §6.2.2, RFC 8656 §12.5 and §12.6): over
 * TCP and TLS nothing but their own lengths tells them apart. A stream that has lost its way is never found again:
 * it ends in a fault, and its connection is to be closed.
 */

import { readUint16, readUint32 } from './bytes.ts'
import { isStreamChannelByte, packetKind } from './demux.ts'
import { headerBytes, magicCookie } from './message.ts'

/** Why a stream carries no TURN. `not-turn`: a first byte of neither kind, or ChannelData before any message. */
export type FramingFault = 'not-turn' | 'wrong-length' | 'wrong-cookie'

export interface FramingOptions {
  /** Take channel numbers up to 0x7fff, as RFC 5766 had them. */
  readonly allowLegacyChannels?: boolean
}

/** What has to be there to know the size of ChannelData, and to know that a message is STUN. */
const channelDataHeader = 4
const stunPrefix = 8

/** Limit: what an announced length makes us hold at first; the rest is taken as it arrives. */
const firstCarryBytes = 1024

const nothing = new Uint8Array(0)

export class StreamFramer {
  /** Where the message that `advance` has found lies: `start` to `end` of `bytes`, which belong to the reader. */
  bytes: Uint8Array = nothing
  start = 0
  end = 0
  readonly #allowLegacyChannels: boolean
  #chunk: Uint8Array = nothing
  #at = 0
  /** The front of a message whose end has not arrived; each byte is copied here once, but for growth by doubling. */
  #carry: Uint8Array = nothing
  #carried = 0
  #hasSeenStun = false
  #fault: FramingFault | undefined

  constructor(options: FramingOptions = {}) {
    this.#allowLegacyChannels = options.allowLegacyChannels === true
  }

  /** Why the stream is at its end; undefined while it is not. */
  get fault(): FramingFault | undefined {
    return this.#fault
  }

  /** Bytes of a message that is not whole yet. */
  get partialBytes(): number {
    return this.#carried
  }

  /**
   * Takes the next bytes of the stream, of any number. They belong to the framer from here on. The messages before
   * have to be read until there are none; throws a RangeError otherwise.
   */
  push(bytes: Uint8Array): void {
    if (this.#at < this.#chunk.length && this.#fault === undefined) {
      throw new RangeError('messages of the bytes before are still to be read')
    }
    this.#chunk = bytes
    this.#at = 0
  }

  /**
   * Finds the next whole message and leaves it in `bytes`, `start` and `end`, without the padding of ChannelData;
   * false when more bytes are needed, or after a fault. Most often it lies in what was pushed, and nothing is copied.
   */
  advance(): boolean {
    if (this.#fault !== undefined) return false
    return this.#carried > 0 ? this.#fromCarry() : this.#fromChunk()
  }

  /** As `advance`, with the message as an array; undefined where that is false. */
  next(): Uint8Array | undefined {
    return this.advance() ? this.bytes.subarray(this.start, this.end) : undefined
  }

  /** What has arrived behind the messages read so far: of a connection that carries other bytes from here on. */
  takeRest(): Uint8Array {
    const rest = new Uint8Array(this.#carried + this.#chunk.length - this.#at)
    rest.set(this.#carry.subarray(0, this.#carried))
    rest.set(this.#chunk.subarray(this.#at), this.#carried)
    this.#forget()
    return rest
  }

  #fromChunk(): boolean {
    const chunk = this.#chunk
    const at = this.#at
    const available = chunk.length - at
    if (available === 0) {
      this.#forget()
      return false
    }
    const size = this.#sizeAt(chunk, at, available)
    if (size < 0) return false
    if (size === 0 || size > available) {
      this.#append(available, size)
      return false
    }
    this.#at = at + size
    return this.#finish(chunk, at)
  }

  #fromCarry(): boolean {
    for (;;) {
      const size = this.#sizeAt(this.#carry, 0, this.#carried)
      if (size < 0) return false
      const prefix = this.#carry[0]! <= 3 ? stunPrefix : channelDataHeader
      const wanted = this.#carried < prefix ? prefix : size
      if (this.#carried === wanted) {
        const whole = this.#carry
        this.#carry = nothing
        this.#carried = 0
        return this.#finish(whole, 0)
      }
      const available = Math.min(this.#chunk.length - this.#at, wanted - this.#carried)
      if (available === 0) return false
      this.#append(available, size)
    }
  }

  /** What the message that starts there takes in the stream; 0 if that is not known yet, -1 for a fault. */
  #sizeAt(bytes: Uint8Array, at: number, available: number): number {
    const first = bytes[at]!
    const isStun = packetKind(first) === 'stun'
    // Before the first message nobody can have bound a channel: HTTP, whose methods look like channels, ends here.
    if (!isStun && !(this.#hasSeenStun && isStreamChannelByte(first, this.#allowLegacyChannels))) {
      return this.#fail('not-turn')
    }
    if (available < channelDataHeader) return 0
    const length = readUint16(bytes, at + 2)
    if (!isStun) return channelDataHeader + length + streamPadding(length)
    if ((length & 3) !== 0) return this.#fail('wrong-length')
    if (available >= stunPrefix && readUint32(bytes, at + 4) !== magicCookie)
      return this.#fail('wrong-cookie')
    return headerBytes + length
  }

  /** Carries bytes of the chunk over; `size` is what the whole message takes, 0 if that is not known yet. */
  #append(count: number, size: number): void {
    const end = this.#carried + count
    if (end > this.#carry.length) {
      const room = Math.min(Math.max(end * 2, firstCarryBytes), Math.max(size, stunPrefix))
      const grown = new Uint8Array(room)
      grown.set(this.#carry.subarray(0, this.#carried))
      this.#carry = grown
    }
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + count), this.#carried)
    this.#carried = end
    this.#at += count
  }

  #finish(bytes: Uint8Array, at: number): true {
    const isStun = bytes[at]! <= 3
    if (isStun) this.#hasSeenStun = true
    this.bytes = bytes
    this.start = at
    this.end = at + (isStun ? headerBytes : channelDataHeader) + readUint16(bytes, at + 2)
    return true
  }

  #fail(fault: FramingFault): -1 {
    this.#fault = fault
    this.#forget()
    return -1
  }

  #forget(): void {
    this.bytes = nothing
    this.#chunk = nothing
    this.#at = 0
    this.#carry = nothing
    this.#carried = 0
  }
}

/** The zero bytes that follow ChannelData of that length on a stream: 0–3 (RFC 8656 §12.5). */
export function streamPadding(length: number): number {
  return -length & 3
}

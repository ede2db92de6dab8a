/**
 * The client's data path (RFC 8656 §11, §12.4–§12.7): what is sent to a peer goes into ChannelData or a Send
 * indication, and what comes from one is found in ChannelData or a Data indication. No object is made per packet.
 */

import type { Random } from '../../core/random.ts'
import type { Instant } from '../../core/time.ts'
import type { AddressWords } from '../../core/transport-address.ts'
import { readUint16 } from '../../stun/bytes.ts'
import { headerBytes } from '../../stun/message.ts'
import { encodeMessageType, methods } from '../../stun/methods.ts'
import { channelDataEnd, channelDataHeaderBytes, writeChannelDataHeader } from '../channel-data.ts'
import { DataIndicationWriter, longestDataIndicationHeader } from '../data-indication.ts'
import { readSendIndication, type SendIndication } from '../send-indication.ts'
import { clientLimits } from './options.ts'
import type { Peers } from './peers.ts'

/** Bytes that `wrapInPlace` may need before a payload and behind it. */
export const wrapHeadroom = longestDataIndicationHeader
export const wrapTailroom = 3

/** What a peer has sent: this range of the bytes that were handed in. Good until the next input. */
export interface PeerData {
  readonly peer: AddressWords
  readonly start: number
  readonly end: number
}

/** A frame to transmit: this range of the buffer that was given. Good until the next packet is wrapped. */
export interface FrameRange {
  readonly start: number
  readonly end: number
}

/** What the client counts. All numbers only grow. */
export class ClientCounters {
  packetsToPeers = 0
  bytesToPeers = 0
  packetsFromPeers = 0
  bytesFromPeers = 0
  /** Packets that went nowhere, by reason. */
  readonly drops = {
    /** To a peer for whom no permission is in force. */
    'not-permitted': 0,
    oversize: 0,
    'no-allocation': 0,
    /** From the server: not what it is to look like. */
    malformed: 0,
    'unknown-channel': 0,
    'unexpected-peer': 0,
    'wrong-source': 0,
    'unexpected-message': 0,
  }
}

const dataIndicationType = encodeMessageType('indication', methods.Data)

export function isDataIndication(bytes: Uint8Array): boolean {
  return bytes.length >= headerBytes && readUint16(bytes, 0) === dataIndicationType
}

export class DataPath {
  readonly #isStream: boolean
  readonly #counters: ClientCounters
  readonly #sendIndications: DataIndicationWriter
  readonly #header = new Uint8Array(longestDataIndicationHeader)
  #headerLength = 0
  #padding = 0
  readonly #range = { start: 0, end: 0 }
  readonly #indication: SendIndication = {
    peer: { a: 0, b: 0, c: 0, d: 0, port: 0 },
    start: 0,
    end: 0,
    dontFragment: false,
  }
  readonly #fromChannel: { peer: AddressWords; start: number; end: number }

  constructor(isStream: boolean, counters: ClientCounters, random: Random) {
    this.#isStream = isStream
    this.#counters = counters
    this.#sendIndications = new DataIndicationWriter(random, 'Send')
    this.#fromChannel = { peer: this.#indication.peer, start: 0, end: 0 }
  }

  /** A new array with the frame; undefined if the peer cannot be sent to. */
  wrap(peers: Peers, peer: AddressWords, payload: Uint8Array, now: Instant): Uint8Array | undefined {
    if (!this.#prepare(peers, peer, payload.length, now)) return undefined
    const frame = new Uint8Array(this.#headerLength + payload.length + this.#padding)
    this.#writeHeader(frame, 0)
    frame.set(payload, this.#headerLength)
    return frame
  }

  /** Writes the header before `start` and the padding behind `end`, where the caller has left room. */
  wrapInPlace(
    peers: Peers,
    peer: AddressWords,
    buffer: Uint8Array,
    start: number,
    end: number,
    now: Instant,
  ): FrameRange | undefined {
    if (!this.#prepare(peers, peer, end - start, now)) return undefined
    const range = this.#range
    range.start = start - this.#headerLength
    range.end = end + this.#padding
    this.#writeHeader(buffer, range.start)
    buffer.fill(0, end, range.end)
    return range
  }

  /** ChannelData from the server (§12.6). */
  fromChannel(peers: Peers, bytes: Uint8Array): PeerData | undefined {
    const end = channelDataEnd(bytes, 0, bytes.length)
    if (end < 0) return this.#drop('malformed')
    const channel = peers.channels.get(readUint16(bytes, 0))
    // One that cools down may be bound all the same: the server's answers may have been lost.
    if (channel === undefined || channel.state === 'waiting') return this.#drop('unknown-channel')
    const data = this.#fromChannel
    data.peer = channel.peer
    data.start = channelDataHeaderBytes
    data.end = end
    return this.#received(data)
  }

  /** A Data indication (§11.4). `no-data`: it carries something else, or is malformed. */
  fromIndication(peers: Peers, bytes: Uint8Array): PeerData | 'no-data' | undefined {
    const indication = this.#indication
    if (!readSendIndication(bytes, 0, bytes.length, indication)) return 'no-data'
    if (!isExpected(peers, indication.peer)) return this.#drop('unexpected-peer')
    return this.#received(indication)
  }

  #received(data: PeerData): PeerData {
    this.#counters.packetsFromPeers++
    this.#counters.bytesFromPeers += data.end - data.start
    return data
  }

  /**
   * Makes the header. A bound channel comes first. While it is being bound, a Send indication is the safe way if there
   * is a permission, and the channel the only one if there is none: the request is on its way before the data (§12).
   */
  #prepare(peers: Peers, peer: AddressWords, length: number, now: Instant): boolean {
    const channel = peers.channelTo(peer)
    if (channel?.isBound === true && channel.expiresAt > now)
      return this.#prepareChannel(channel.number, length)
    const permission = peers.permissionFor(peer)
    if (permission?.isInForce === true && permission.expiresAt > now) {
      this.#headerLength = this.#sendIndications.write(this.#header, peer, length)
      this.#padding = -length & 3
      return this.#count(length)
    }
    if (channel?.state === 'binding') return this.#prepareChannel(channel.number, length)
    this.#drop('not-permitted')
    return false
  }

  #prepareChannel(number: number, length: number): boolean {
    writeChannelDataHeader(this.#header, number, length)
    this.#headerLength = channelDataHeaderBytes
    this.#padding = this.#isStream ? -length & 3 : 0
    return this.#count(length)
  }

  #count(length: number): boolean {
    if (this.#headerLength + length + this.#padding > clientLimits.datagramBytes) {
      this.#drop('oversize')
      return false
    }
    this.#counters.packetsToPeers++
    this.#counters.bytesToPeers += length
    return true
  }

  #writeHeader(target: Uint8Array, offset: number): void {
    const header = this.#header
    for (let i = 0; i < this.#headerLength; i++) target[offset + i] = header[i]!
  }

  #drop(reason: keyof ClientCounters['drops']): undefined {
    this.#counters.drops[reason]++
  }
}

/** Whether we have asked for leave to hear from there (§11.4): a server may have been tricked into giving it. */
export function isExpected(peers: Peers, peer: AddressWords): boolean {
  const permission = peers.permissionFor(peer)
  return permission !== undefined && permission.state !== 'waiting'
}

/**
 * What two partners say to each other, beside STUN on the same ports: datagrams whose first byte is neither STUN's nor
 * ChannelData's (RFC 7983 §7), of one length for each type, with an HMAC over all of it (ADR 14). Who has sent it stands
 * inside, so that a partner knows its own words when they are sent back to it.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { AddressWords } from '../../core/transport-address.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import { readUint16, readUint32, writeUint16, writeUint32 } from '../../stun/bytes.ts'

/** 'T': no STUN message, no channel of RFC 8656, no DTLS record and no RTP packet starts with it. */
export const partnerByte = 0x54
const version = 1
const macBytes = 32

/** As RFC 5780 §6.1 needs them: the same two ports at both addresses. */
export interface PartnerIdentity {
  /** The two addresses, as clients reach them: one IP address. */
  readonly addresses: readonly [TransportAddress, TransportAddress]
}

export interface PartnerHeader extends PartnerIdentity {
  /** 0 or 1: from which of its ports it was sent, to the same one. */
  readonly lane: number
  /** Whether the sender hears the receiver on both ports. */
  readonly hears: boolean
  /** 8 random bytes of the sender's run. */
  readonly epoch: Uint8Array
  /** Counts the sender's datagrams since its start. */
  readonly counter: number
  /** 8 bytes. In a ping drawn by the sender, in a pong those of the ping, in a request the receiver's last that has come. */
  readonly nonce: Uint8Array
}

/** A Binding request that has come to one partner, and is to be answered by the other. */
export interface PartnerRequest {
  /** Whom XOR-MAPPED-ADDRESS tells. */
  readonly client: TransportAddress
  /** Where the answer goes: another port than the client's where RESPONSE-PORT has named one. */
  readonly destination: TransportAddress
  /** 12 bytes. */
  readonly transactionId: Uint8Array
  /** 0 or 1: the port that it has come to. */
  readonly askedPort: number
  /** 0 or 1: the port to answer from. */
  readonly answerPort: number
  /** The length of the request, which no padding makes the answer exceed; 0: there was no PADDING. */
  readonly paddedLength: number
}

export type PartnerDatagram =
  | ({ readonly type: 'ping' } & PartnerHeader)
  | ({ readonly type: 'pong' } & PartnerHeader)
  | ({ readonly type: 'request'; readonly request: PartnerRequest } & PartnerHeader)

const types = ['ping', 'pong', 'request'] as const
const headerBytes = 48
const requestBytes = 36
const lengths: Readonly<Record<PartnerDatagram['type'], number>> = {
  ping: headerBytes + macBytes,
  pong: headerBytes + macBytes,
  request: headerBytes + requestBytes + macBytes,
}

/** Signed with `key`. */
export function encodePartnerDatagram(datagram: PartnerDatagram, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(lengths[datagram.type])
  const { lane, hears, epoch, counter, nonce, addresses } = datagram
  bytes[0] = partnerByte
  bytes[1] = version
  bytes[2] = types.indexOf(datagram.type)
  bytes[3] = lane | (hears ? 2 : 0)
  bytes.set(epoch, 4)
  writeUint32(bytes, 12, Math.floor(counter / 2 ** 32))
  writeUint32(bytes, 16, counter >>> 0)
  bytes.set(nonce, 20)
  writeIp(bytes, 28, addresses[0])
  writeUint16(bytes, 44, addresses[0].port)
  writeUint16(bytes, 46, addresses[1].port)
  if (datagram.type === 'request') writeRequest(bytes, headerBytes, datagram.request)
  bytes.set(macOf(bytes, key), bytes.length - macBytes)
  return bytes
}

/** Undefined unless it is whole, of this version, and signed with one of the keys. */
export function decodePartnerDatagram(
  bytes: Uint8Array,
  keys: readonly Uint8Array[],
): PartnerDatagram | undefined {
  if (bytes[0] !== partnerByte || bytes[1] !== version) return undefined
  const type = types[bytes[2] ?? -1]
  if (type === undefined || bytes.length !== lengths[type] || bytes[3]! > 3) return undefined
  const mac = bytes.subarray(bytes.length - macBytes)
  if (!keys.some((key) => timingSafeEqual(macOf(bytes, key), mac))) return undefined
  const ip = readAddress(bytes, 28, readUint16(bytes, 44))
  const header: PartnerHeader = {
    lane: bytes[3]! & 1,
    hears: (bytes[3]! & 2) !== 0,
    epoch: bytes.slice(4, 12),
    counter: readUint32(bytes, 12) * 2 ** 32 + readUint32(bytes, 16),
    nonce: bytes.slice(20, 28),
    addresses: [ip, ip.withPort(readUint16(bytes, 46))],
  }
  return type === 'request'
    ? { type, ...header, request: readRequest(bytes, headerBytes) }
    : { type, ...header }
}

function writeRequest(bytes: Uint8Array, at: number, request: PartnerRequest): void {
  writeIp(bytes, at, request.client)
  writeUint16(bytes, at + 16, request.client.port)
  writeUint16(bytes, at + 18, request.destination.port)
  bytes[at + 20] = request.askedPort | (request.answerPort << 1)
  writeUint16(bytes, at + 22, request.paddedLength)
  bytes.set(request.transactionId, at + 24)
}

function readRequest(bytes: Uint8Array, at: number): PartnerRequest {
  const client = readAddress(bytes, at, readUint16(bytes, at + 16))
  return {
    client,
    destination: client.withPort(readUint16(bytes, at + 18)),
    askedPort: bytes[at + 20]! & 1,
    answerPort: (bytes[at + 20]! >> 1) & 1,
    paddedLength: readUint16(bytes, at + 22),
    transactionId: bytes.slice(at + 24, at + 36),
  }
}

function macOf(bytes: Uint8Array, key: Uint8Array): Uint8Array {
  return createHmac('sha256', key)
    .update(bytes.subarray(0, bytes.length - macBytes))
    .digest()
}

function writeIp(bytes: Uint8Array, at: number, { a, b, c, d }: AddressWords): void {
  for (const [i, word] of [a, b, c, d].entries()) writeUint32(bytes, at + 4 * i, word)
}

function readAddress(bytes: Uint8Array, at: number, port: number): TransportAddress {
  const word = (i: number) => readUint32(bytes, at + 4 * i)
  return new TransportAddress(word(0), word(1), word(2), word(3), port)
}

/**
 * What one side of a punch tells the other, as a text short enough to be copied and pasted: ICE credentials, candidates,
 * what is known of its NAT, and the server that it has asked. Layout of the bytes: `writeOffer`.
 */

import { crc32 } from 'node:zlib'
import { isIPv4 } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { CandidateDescription } from '../ice/candidate.ts'
import type { IceCredentials } from '../ice/credentials.ts'
import { filterings, mappings } from './behavior.ts'
import type { KnownFamily, KnownNat, KnownNetwork } from './predict.ts'

export interface PunchOffer {
  readonly credentials: IceCredentials
  readonly candidates: readonly CandidateDescription[]
  readonly network: KnownNetwork
  /** The STUN server that the side has asked, without its scheme; empty where it has asked none. */
  readonly server: string
}

/** Why a text is no offer. 'incomplete' may be the beginning of one. */
export type PunchCodeFault = 'not-a-code' | 'other-version' | 'incomplete' | 'damaged'

const prefix = 'tp'
const version = 1
const types = ['host', 'srflx'] as const
const allocations = ['preserved', 'sequential', 'random'] as const
/** Of ours: 8 and 24 characters of base64, which are 24 bytes. */
const ufragLength = 8
const pwdLength = 24
/** Limit: the best are kept. */
const maxCandidates = 12
const checksumBytes = 4

export function encodePunchCode(offer: PunchOffer): string {
  const bytes: number[] = []
  writeOffer(offer, bytes)
  const body = Buffer.from(bytes)
  const checksum = Buffer.alloc(checksumBytes)
  checksum.writeUInt32BE(crc32(body))
  return `${prefix}${version}.${Buffer.concat([body, checksum]).toString('base64url')}`
}

/** White space within it, such as line ends of a terminal, does no harm. */
export function decodePunchCode(text: string): PunchOffer | PunchCodeFault {
  const [head, encoded, ...rest] = text.replace(/\s+/g, '').split('.')
  if (head === undefined || !/^tp\d+$/.test(head) || rest.length > 0) return 'not-a-code'
  if (head !== `${prefix}${version}`) return 'other-version'
  if (encoded === undefined || !/^[\w-]*$/.test(encoded)) return 'not-a-code'
  const bytes = Buffer.from(encoded, 'base64url')
  const reader = new Reader(bytes.subarray(0, Math.max(0, bytes.length - checksumBytes)))
  const offer = readOffer(reader)
  if (offer === undefined) return 'incomplete'
  const isWhole = reader.isAtEnd && crc32(reader.bytes) === bytes.readUInt32BE(bytes.length - checksumBytes)
  return isWhole ? offer : 'damaged'
}

/** Credentials; flags of the network; its addresses; candidates; the server's name. */
function writeOffer({ credentials, candidates, network, server }: PunchOffer, bytes: number[]): void {
  bytes.push(...Buffer.from(credentials.ufrag + credentials.pwd, 'base64'))
  const { udp4, udp6, tcp4, tcp6 } = network.families
  const hasTcp = tcp4?.reachable.value === true || tcp6?.reachable.value === true
  bytes.push(
    packTriStates(udp4?.reachable.value, udp4?.isDirect.value, udp6?.isDirect.value, hasTcp),
    ...packNat(udp4?.nat ?? null),
  )
  for (const address of [udp4?.local, udp4?.mapped[0]]) writeAddress(address ?? '0.0.0.0:0', bytes)
  const best = candidates.filter(isTellable).slice(0, maxCandidates)
  bytes.push(best.length)
  for (const { type, priority, address } of best) {
    bytes.push(types.indexOf(type), priority >>> 24, (priority >>> 16) & 255, (priority >>> 8) & 255)
    bytes.push(priority & 255)
    writeAddress(`${address}`, bytes)
  }
  const name = Buffer.from(server, 'utf8').subarray(0, 255)
  bytes.push(name.length, ...name)
}

type TellableCandidate = CandidateDescription & {
  readonly type: (typeof types)[number]
  readonly address: TransportAddress
}

function isTellable(candidate: CandidateDescription): candidate is TellableCandidate {
  const { type, protocol, address } = candidate
  return protocol === 'udp' && (type === 'host' || type === 'srflx') && address instanceof TransportAddress
}

function readOffer(reader: Reader): PunchOffer | undefined {
  const text = Buffer.from(reader.take(((ufragLength + pwdLength) * 3) / 4)).toString('base64')
  const [udpWorks, isDirect4, isDirect6, hasTcp] = unpackTriStates(reader.byte())
  const nat = unpackNat(reader.byte(), reader.byte())
  const [local, mapped] = [readAddress(reader), readAddress(reader)]
  const candidates = Array.from({ length: Math.min(reader.byte(), maxCandidates) }, (_, i) =>
    readCandidate(reader, i),
  )
  const server = Buffer.from(reader.take(reader.byte())).toString('utf8')
  if (reader.isShort || candidates.some((one) => one === undefined)) return undefined
  const udp4: KnownFamily = {
    reachable: { value: udpWorks ?? null },
    isDirect: { value: isDirect4 ?? null },
    local: local.port === 0 ? null : `${local}`,
    mapped: mapped.port === 0 ? [] : [`${mapped}`],
    nat,
  }
  return {
    credentials: { ufrag: text.slice(0, ufragLength), pwd: text.slice(ufragLength) },
    candidates: candidates.filter((one) => one !== undefined),
    network: {
      families: {
        udp4,
        udp6: { ...udp4, isDirect: { value: isDirect6 ?? null }, nat: null, local: null, mapped: [] },
        tcp4: { reachable: { value: hasTcp ?? null } },
      },
    },
    server,
  }
}

function readCandidate(reader: Reader, i: number): TellableCandidate | undefined {
  const type = types[reader.byte()]
  const priority = reader.byte() * 2 ** 24 + (reader.byte() << 16) + (reader.byte() << 8) + reader.byte()
  const address = readAddress(reader)
  if (type === undefined || priority === 0 || address.port === 0) return undefined
  return { foundation: `${i + 1}`, component: 1, protocol: 'udp', priority, address, type }
}

/** Two bits each: 0 is not known, 1 is no, 2 is yes. */
function packTriStates(...values: readonly (boolean | null | undefined)[]): number {
  return values.reduce((byte, value, i) => byte | ((value == null ? 0 : value ? 2 : 1) << (2 * i)), 0)
}

function unpackTriStates(byte: number): (boolean | null)[] {
  return [0, 2, 4, 6].map((shift) => [null, false, true, null][(byte >>> shift) & 3] ?? null)
}

/** What is possible of mapping and filtering, one bit each, bit 6: there is something known at all; then the rest. */
function packNat(nat: KnownNat | null): [number, number] {
  if (nat === null) return [0, 0]
  const possible = [
    ...mappings.map((one) => nat.mapping.possible.includes(one)),
    ...filterings.map((one) => nat.filtering.possible.includes(one)),
    true,
  ]
  const allocation = nat.allocation.value === null ? 0 : allocations.indexOf(nat.allocation.value) + 1
  return [
    possible.reduce((byte, is, i) => byte | (Number(is) << i), 0),
    packTriStates(nat.inboundPoisonsMapping.value, nat.hairpin.value) |
      (allocation << 4) |
      (Number(nat.publicIps > 1) << 6),
  ]
}

function unpackNat(first: number, second: number): KnownNat | null {
  if ((first & 64) === 0) return null
  const ofMapping = mappings.filter((_, i) => (first & (1 << i)) !== 0)
  const ofFiltering = filterings.filter((_, i) => (first & (8 << i)) !== 0)
  const [poisons, hairpin] = unpackTriStates(second)
  return {
    mapping: { possible: ofMapping, value: ofMapping.length === 1 ? ofMapping[0]! : null },
    filtering: { possible: ofFiltering, value: ofFiltering.length === 1 ? ofFiltering[0]! : null },
    inboundPoisonsMapping: { value: poisons ?? null },
    publicIps: (second & 64) === 0 ? 1 : 2,
    allocation: { value: allocations[((second >>> 4) & 3) - 1] ?? null },
    hairpin: { value: hairpin ?? null },
  }
}

/** 4 or 6, the address in that many words, the port. */
function writeAddress(text: string, bytes: number[]): void {
  const { a, b, c, d, port } = TransportAddress.parse(text)
  const words = isIPv4({ a, b, c, d }) ? [d] : [a, b, c, d]
  bytes.push(words.length === 1 ? 4 : 6)
  for (const word of words)
    bytes.push((word >>> 24) & 255, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
  bytes.push(port >>> 8, port & 255)
}

function readAddress(reader: Reader): TransportAddress {
  const isV4 = reader.byte() === 4
  const word = () => (reader.byte() << 24) | (reader.byte() << 16) | (reader.byte() << 8) | reader.byte()
  const [a, b, c, d] = isV4 ? [0, 0, 0xffff, word()] : [word(), word(), word(), word()]
  return new TransportAddress(a, b, c, d, reader.byte() * 256 + reader.byte())
}

/** Zeros after the end, and `isShort` then. */
class Reader {
  readonly bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get isShort(): boolean {
    return this.#offset > this.bytes.length
  }

  get isAtEnd(): boolean {
    return this.#offset === this.bytes.length
  }

  byte(): number {
    return this.bytes[this.#offset++] ?? 0
  }

  take(length: number): Uint8Array {
    this.#offset += length
    return this.bytes.slice(this.#offset - length, this.#offset)
  }
}

/**
 * The data path (RFC 8656 §11, §12.4–§12.7): ChannelData, Send indications and what peers send become a route.
 * Nothing is allocated per packet for channels, and no payload is ever copied here.
 */

import { mappedPrefix } from '../core/ip.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import { type Datagram, socketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { attributes } from '../stun/attributes.ts'
import { readUint16, writeUint16, writeUint32 } from '../stun/bytes.ts'
import { xorAddress } from '../stun/codecs.ts'
import { headerBytes, type Message, magicCookie } from '../stun/message.ts'
import { encodeMessageType, methods } from '../stun/methods.ts'
import type { Allocation } from './allocation.ts'
import type { Allocations } from './allocations.ts'
import { channelDataEnd, channelDataHeaderBytes, writeChannelDataHeader } from './channel-data.ts'
import type { DropReason, ServerCounters } from './counters.ts'
import { limits } from './options.ts'
import type { PeerAccess } from './peer-access.ts'
import type { MutableRoute, Route } from './route.ts'

const dataIndicationType = encodeMessageType('indication', methods.Data)
/** STUN header, XOR-PEER-ADDRESS for IPv6, and the header of DATA. */
const longestHeader = headerBytes + 24 + 4

export class Relaying {
  readonly #allocations: Allocations
  readonly #peers: PeerAccess
  readonly #counters: ServerCounters
  readonly #header = new Uint8Array(longestHeader)
  readonly #route: MutableRoute
  /** Data indications are answered by nobody: their transaction IDs are only distinct. */
  readonly #indicationId: Uint32Array

  constructor(allocations: Allocations, peers: PeerAccess, counters: ServerCounters, random: Random) {
    this.#allocations = allocations
    this.#peers = peers
    this.#counters = counters
    this.#indicationId = Uint32Array.from({ length: 3 }, () => randomUint32(random))
    this.#route = {
      socket: socketId(0),
      destination: { a: 0, b: 0, c: mappedPrefix, d: 0, port: 0 },
      header: this.#header,
      headerLength: 0,
      start: 0,
      end: 0,
      padding: 0,
    }
  }

  /** ChannelData from a client (§12.6). */
  fromChannel({ socket, source, bytes }: Datagram, now: Instant): Route | undefined {
    const end = channelDataEnd(bytes)
    if (end < 0) return this.#drop('bad-channel-data')
    const allocation = this.#allocations.findByClient(socket, source)
    if (allocation === undefined) return this.#drop('no-allocation')
    const channel = allocation.channels.get(readUint16(bytes, 0))
    if (channel === undefined || channel.deadline <= now) return this.#drop('no-channel')
    if (channel.permission.deadline <= now) {
      const permission = this.#allocations.findPermission(allocation, channel.peer, now)
      if (permission === undefined) return this.#drop('no-permission')
      channel.permission = permission
    }
    return this.#toPeer(allocation, channel.peer, channelDataHeaderBytes, end, now)
  }

  /** A Send indication from a client (§11.2). Never answered, whatever is wrong with it. */
  fromSend(message: Message, { socket, source }: Datagram, now: Instant): Route | undefined {
    const allocation = this.#allocations.findByClient(socket, source)
    if (allocation === undefined) return this.#drop('no-allocation')
    const peer = message.get('XOR-PEER-ADDRESS')
    const data = message.raw('DATA')
    if (peer === undefined || data === undefined || hasUnknownRequired(message)) {
      return this.#drop('bad-indication')
    }
    if (this.#allocations.findPermission(allocation, peer, now) === undefined) {
      return this.#drop('no-permission')
    }
    if (this.#peers.judge(peer) === 'forbidden') return this.#drop('peer-forbidden')
    const start = message.valueOffset('DATA')
    return this.#toPeer(allocation, peer, start, start + data.length, now)
  }

  /** A datagram from a peer, at a relayed transport address of ours (§11.3, §12.7). */
  fromPeer({ socket, source, bytes }: Datagram, now: Instant): Route | undefined {
    const allocation = this.#allocations.findByRelaySocket(socket)
    if (allocation === undefined || allocation.state !== 'active') return this.#drop('no-allocation')
    return this.#toClient(allocation, source, 0, bytes.length, now)
  }

  #toPeer(
    allocation: Allocation,
    peer: TransportAddress,
    start: number,
    end: number,
    now: Instant,
  ): Route | undefined {
    if (end - start > limits.datagramBytes) return this.#drop('oversize')
    // A relayed address of our own is reached inside: the packet need not leave, and cannot miss its way back
    // through a NAT that does not hairpin.
    const isOwn = this.#peers.isOwnIp(peer)
    const neighbour = isOwn ? this.#allocations.findByRelayed(peer) : undefined
    if (isOwn && neighbour === undefined && this.#peers.judge(peer) !== 'outside') {
      return this.#drop('peer-forbidden')
    }
    allocation.packetsFromClient++
    allocation.bytesFromClient += end - start
    this.#counters.packetsFromClient++
    this.#counters.bytesFromClient += end - start
    if (neighbour !== undefined) return this.#toClient(neighbour, allocation.relayed, start, end, now)
    return this.#routeOf(allocation.relaySocket, peer, 0, start, end, 0)
  }

  #toClient(
    allocation: Allocation,
    peer: AddressWords,
    start: number,
    end: number,
    now: Instant,
  ): Route | undefined {
    const length = end - start
    const channel = this.#allocations.findChannel(allocation, peer, now)
    const isPermitted =
      (channel !== undefined && channel.permission.deadline > now) ||
      this.#allocations.findPermission(allocation, peer, now) !== undefined
    if (!isPermitted) return this.#drop('no-permission')
    let headerLength = channelDataHeaderBytes
    let padding = 0
    if (channel !== undefined) {
      writeChannelDataHeader(this.#header, channel.number, length)
    } else {
      headerLength = this.#writeDataIndication(peer, length)
      padding = -length & 3
    }
    if (headerLength + length + padding > limits.datagramBytes) return this.#drop('oversize')
    allocation.packetsToClient++
    allocation.bytesToClient += length
    this.#counters.packetsToClient++
    this.#counters.bytesToClient += length
    return this.#routeOf(allocation.socket, allocation.client, headerLength, start, end, padding)
  }

  /** Everything of a Data indication that stands before the data. The length of it. */
  #writeDataIndication(peer: AddressWords, length: number): number {
    const header = this.#header
    header.fill(0)
    writeUint16(header, 0, dataIndicationType)
    writeUint32(header, 4, magicCookie)
    this.#indicationId[2]!++
    for (let i = 0; i < 3; i++) writeUint32(header, 8 + i * 4, this.#indicationId[i]!)
    const address = TransportAddress.from(peer)
    const addressBytes = xorAddress.size(address)
    writeUint16(header, headerBytes, attributes['XOR-PEER-ADDRESS'].type)
    writeUint16(header, headerBytes + 2, addressBytes)
    xorAddress.encode(address, header, headerBytes + 4)
    const data = headerBytes + 4 + addressBytes
    writeUint16(header, data, attributes.DATA.type)
    writeUint16(header, data + 2, length)
    writeUint16(header, 2, data + 4 + ((length + 3) & ~3) - headerBytes)
    return data + 4
  }

  #routeOf(
    socket: Route['socket'],
    destination: AddressWords,
    headerLength: number,
    start: number,
    end: number,
    padding: number,
  ): Route {
    const route = this.#route
    route.socket = socket
    route.destination = destination
    route.headerLength = headerLength
    route.start = start
    route.end = end
    route.padding = padding
    return route
  }

  #drop(reason: DropReason): undefined {
    this.#counters.drops[reason]++
  }
}

/** A Send indication knows three attributes; DONT-FRAGMENT is not one that a plain socket can honour (§11.2). */
function hasUnknownRequired(message: Message): boolean {
  return message
    .types()
    .some(
      (type) =>
        type < 0x8000 && type !== attributes['XOR-PEER-ADDRESS'].type && type !== attributes.DATA.type,
    )
}

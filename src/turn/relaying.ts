/**
 * The data path (RFC 8656 §11, §12.4–§12.7): ChannelData, Send indications and what peers send become a route.
 * No object is made per packet, and no payload is copied.
 */

import { isIPv4, mappedPrefix } from '../core/ip.ts'
import type { Random } from '../core/random.ts'
import { type Datagram, socketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords, MutableAddressWords } from '../core/transport-address.ts'
import { readUint16 } from '../stun/bytes.ts'
import { streamPadding } from '../stun/stream-framing.ts'
import type { Allocation, RelayedTransportAddress } from './allocation.ts'
import type { Allocations } from './allocations.ts'
import { channelDataEnd, channelDataHeaderBytes, writeChannelDataHeader } from './channel-data.ts'
import type { DropReason, ServerCounters } from './counters.ts'
import { DataIndicationWriter, longestDataIndicationHeader } from './data-indication.ts'
import type { MobileAllocations } from './mobile-allocations.ts'
import { limits } from './options.ts'
import type { PeerAccess } from './peer-access.ts'
import type { Relays } from './relay-address.ts'
import type { ServerState } from './request.ts'
import type { MutableRoute, Route } from './route.ts'
import { readSendIndication, type SendIndication } from './send-indication.ts'
import { isRelaySocket, isStreamSocket, noSocket } from './socket-numbers.ts'

export class Relaying {
  readonly #allocations: Allocations
  readonly #mobile: MobileAllocations | undefined
  readonly #peers: PeerAccess
  readonly #relays: Relays
  /** Of another engine's relayed transport address: where it is bound, or what clients know it as. */
  readonly #elsewhere: MutableAddressWords = { a: 0, b: 0, c: 0, d: 0, port: 0 }
  readonly #counters: ServerCounters
  readonly #canSetDontFragment: boolean
  readonly #header = new Uint8Array(longestDataIndicationHeader)
  readonly #route: MutableRoute
  readonly #dataIndications: DataIndicationWriter
  readonly #sendIndication: SendIndication = {
    peer: { a: 0, b: 0, c: 0, d: 0, port: 0 },
    start: 0,
    end: 0,
    dontFragment: false,
  }

  constructor({ allocations, mobile, peers, relays, counters, options }: ServerState, random: Random) {
    this.#relays = relays
    this.#allocations = allocations
    this.#mobile = mobile
    this.#peers = peers
    this.#counters = counters
    this.#canSetDontFragment = options.canSetDontFragment === true
    this.#dataIndications = new DataIndicationWriter(random)
    this.#route = {
      socket: socketId(0),
      destination: { a: 0, b: 0, c: mappedPrefix, d: 0, port: 0 },
      header: this.#header,
      headerLength: 0,
      start: 0,
      end: 0,
      padding: 0,
      dontFragment: false,
    }
  }

  /** ChannelData from a client (§12.6). */
  fromChannel({ socket, source, bytes, start, end }: Datagram, now: Instant): Route | undefined {
    const dataEnd = channelDataEnd(bytes, start, end)
    if (dataEnd < 0) return this.#drop('bad-channel-data')
    const allocation = this.#allocations.findByClient(socket, source)
    if (allocation === undefined) return this.#drop('no-allocation')
    const { mobility } = allocation
    if (mobility !== undefined) this.#mobile?.arrived(allocation, mobility, socket, source)
    const channel = allocation.channels?.get(readUint16(bytes, start))
    if (channel === undefined || channel.deadline <= now) return this.#drop('no-channel')
    if (channel.permission.deadline <= now) {
      const permission = this.#allocations.findPermission(channel.relayed, channel.peer, now)
      if (permission === undefined) return this.#drop('no-permission')
      channel.permission = permission
    }
    return this.#toPeer(channel.relayed, channel.peer, start + channelDataHeaderBytes, dataEnd, now)
  }

  /** A Send indication from a client (§11.2). Never answered, whatever is wrong with it. */
  fromSend({ socket, source, bytes, start, end }: Datagram, now: Instant): Route | undefined {
    const indication = this.#sendIndication
    const { peer } = indication
    if (!readSendIndication(bytes, start, end, indication)) return this.#drop('bad-indication')
    if (indication.dontFragment && !this.#canSetDontFragment) return this.#drop('bad-indication')
    const allocation = this.#allocations.findByClient(socket, source)
    if (allocation === undefined) return this.#drop('no-allocation')
    if (allocation.relayTransport !== 'udp') return this.#drop('unexpected-message')
    const { mobility } = allocation
    if (mobility !== undefined) this.#mobile?.arrived(allocation, mobility, socket, source)
    const relayed = allocation.relayedFor(peer)
    if (relayed === undefined || this.#allocations.findPermission(relayed, peer, now) === undefined) {
      return this.#drop('no-permission')
    }
    if (this.#peers.judge(peer) === 'forbidden') return this.#drop('peer-forbidden')
    const route = this.#toPeer(relayed, peer, indication.start, indication.end, now)
    if (route !== undefined && indication.dontFragment)
      this.#route.dontFragment = mayNotFragment(allocation, route)
    return route
  }

  /** A datagram from a peer, at a relayed transport address of ours (§11.3, §12.7). */
  fromPeer({ socket, source, start, end }: Datagram, now: Instant): Route | undefined {
    const relayed = this.#allocations.findByRelaySocket(socket)
    if (relayed === undefined) return this.#drop('no-allocation')
    const isTranslated = this.#relays.findSourceElsewhere(source, this.#elsewhere)
    return this.#toClient(relayed, isTranslated ? this.#elsewhere : source, start, end, now)
  }

  #toPeer(
    relayed: RelayedTransportAddress,
    peer: AddressWords,
    start: number,
    end: number,
    now: Instant,
  ): Route | undefined {
    if (end - start > limits.datagramBytes) return this.#drop('oversize')
    // A relayed address of our own is reached inside: the packet need not leave, and cannot miss its way back
    // through a NAT that does not hairpin.
    let destination = peer
    let neighbour: RelayedTransportAddress | undefined
    const own = this.#peers.judgeOwnIp(peer)
    if (own !== undefined) {
      neighbour = this.#allocations.findByRelayed(peer)
      if (neighbour === undefined) {
        // Or it is another shard's, where the packet goes through the system.
        if (this.#relays.findElsewhere(peer, this.#elsewhere)) destination = this.#elsewhere
        else if (own !== 'outside' || this.#peers.isListening(peer)) return this.#drop('peer-forbidden')
      }
    }
    const { allocation } = relayed
    if (allocation.bandwidth?.admitFromClient(end - start, now) === false) return this.#drop('over-bandwidth')
    allocation.packetsFromClient++
    allocation.bytesFromClient += end - start
    this.#counters.packetsFromClient++
    this.#counters.bytesFromClient += end - start
    if (neighbour !== undefined) return this.#toClient(neighbour, relayed.address, start, end, now)
    return this.#routeOf(relayed.socket, destination, 0, start, end, 0)
  }

  #toClient(
    relayed: RelayedTransportAddress,
    peer: AddressWords,
    start: number,
    end: number,
    now: Instant,
  ): Route | undefined {
    const { allocation } = relayed
    const length = end - start
    const channel = this.#allocations.findChannel(relayed, peer, now)
    const isPermitted =
      (channel !== undefined && channel.permission.deadline > now) ||
      this.#allocations.findPermission(relayed, peer, now) !== undefined
    if (!isPermitted) return this.#drop('no-permission')
    if (allocation.socket === noSocket) return this.#drop('client-away')
    const isStream = isStreamSocket(allocation.socket)
    let headerLength = channelDataHeaderBytes
    let padding = 0
    if (channel !== undefined) {
      writeChannelDataHeader(this.#header, channel.number, length)
      if (isStream) padding = streamPadding(length)
    } else {
      headerLength = this.#dataIndications.write(this.#header, peer, length)
      padding = streamPadding(length)
    }
    const longest = isStream ? limits.messageBytes : limits.datagramBytes
    if (headerLength + length + padding > longest) return this.#drop('oversize')
    if (allocation.bandwidth?.admitToClient(length, now) === false) return this.#drop('over-bandwidth')
    allocation.packetsToClient++
    allocation.bytesToClient += length
    this.#counters.packetsToClient++
    this.#counters.bytesToClient += length
    return this.#routeOf(allocation.socket, allocation.client, headerLength, start, end, padding)
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
    route.dontFragment = false
    return route
  }

  #drop(reason: DropReason): undefined {
    this.#counters.drops[reason]++
  }
}

/**
 * Whether DONT-FRAGMENT is for this packet: between IPv4 client and IPv4 peer, and from a stream to any peer. Where
 * addresses are translated, and between IPv6 and IPv6, it is ignored (RFC 8656 §13, §14, §15), and so it is where
 * the packet does not leave this server.
 */
function mayNotFragment({ socket, client }: Allocation, route: Route): boolean {
  if (!isRelaySocket(route.socket)) return false
  return isStreamSocket(socket) || (isIPv4(client) && isIPv4(route.destination))
}

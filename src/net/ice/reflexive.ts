/**
 * Server-reflexive candidates (RFC 8445 §5.1.1.2): every host socket asks every STUN server, and every TURN server that
 * speaks UDP, how it looks from outside. Answers that are known already make no candidate.
 */

import { isIPv4 } from '../../core/ip.ts'
import type { SocketId } from '../../core/sans-io.ts'
import { later } from '../../core/time.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { StunClient } from '../../stun/client.ts'
import { Alarm } from './alarm.ts'
import { type IceBases, isSameFamily } from './base.ts'
import type { HostSocket, ReflexiveListener } from './host-sockets.ts'
import { type Prefix64, TranslatedBase } from './nat64.ts'
import { transportDefaults } from './options.ts'

interface StunServer {
  readonly url: string
  readonly address: TransportAddress
  /** Of a TURN server the allocation says whether it is of use. */
  readonly isTurn: boolean
}

/** One socket's questions. */
interface Inquiry {
  readonly client: StunClient<StunServer>
  readonly alarm: Alarm
  /** Servers that have not answered yet and still may, each with what ends the waiting for it. */
  readonly pending: Map<StunServer, () => void>
  /** What has been told, so that a second server adds nothing. */
  readonly mapped: TransportAddress[]
}

export class ReflexiveGatherer implements ReflexiveListener {
  readonly #bases: IceBases
  readonly #deadlineMs: number
  readonly #servers: StunServer[] = []
  readonly #inquiries = new Map<HostSocket, Inquiry>()
  /** URLs of servers that some socket has had an answer from. */
  readonly #answered = new Set<string>()
  readonly #refresh: Alarm
  #isRefreshing = true
  #prefix64: Prefix64 | undefined
  /** IPv4 addresses that IPv6 sockets were told before it was known how to make use of them. */
  #untranslated: (() => void)[] = []

  constructor(bases: IceBases, deadlineMs: number) {
    this.#bases = bases
    this.#deadlineMs = deadlineMs
    this.#refresh = new Alarm(bases.host.clock, () => {
      if (!this.#isRefreshing) return
      this.#remind()
      this.#armRefresh()
    })
  }

  /** Whether a socket still waits for a server. */
  get isPending(): boolean {
    for (const { pending } of this.#inquiries.values()) if (pending.size > 0) return true
    return false
  }

  /** A server has been found: all sockets ask it. */
  addServer(url: string, address: TransportAddress, isTurn: boolean): void {
    if (this.#servers.some((other) => other.address.equals(address))) return
    const server = { url, address, isTurn }
    this.#servers.push(server)
    for (const [socket, inquiry] of this.#inquiries) this.#ask(socket, inquiry, server)
    if (this.#prefix64 !== undefined && isIPv4(address)) {
      this.addServer(url, this.#prefix64.embed(address), isTurn)
    }
  }

  /** How IPv4 is reached from IPv6 sockets, or that it is not. */
  setPrefix64(prefix: Prefix64 | undefined): void {
    this.#prefix64 = prefix
    for (const tell of this.#untranslated.splice(0)) tell()
    if (prefix === undefined) return
    // Asked over IPv6, a server that has both tells nothing of IPv4.
    for (const { url, address, isTurn } of [...this.#servers]) {
      if (isIPv4(address)) this.addServer(url, prefix.embed(address), isTurn)
    }
  }

  opened(socket: HostSocket): void {
    const { host } = this.#bases
    const alarm = new Alarm(host.clock, () => {
      inquiry.client.handleTimeout(host.clock.now())
      this.#drain(socket, inquiry)
    })
    const inquiry: Inquiry = {
      client: new StunClient<StunServer>({ server: socket.address, isReliable: false }, host.random),
      alarm,
      pending: new Map(),
      mapped: [],
    }
    this.#inquiries.set(socket, inquiry)
    for (const server of this.#servers) this.#ask(socket, inquiry, server)
    this.#armRefresh()
  }

  closed(socket: HostSocket): void {
    const inquiry = this.#inquiries.get(socket)
    this.#inquiries.delete(socket)
    if (inquiry !== undefined) end(inquiry)
  }

  take(socket: HostSocket, bytes: Uint8Array, source: AddressWords): boolean {
    const inquiry = this.#inquiries.get(socket)
    if (inquiry === undefined || bytes[0]! > 3) return false
    if (!this.#servers.some(({ address }) => address.equals(source))) return false
    const isTaken = inquiry.client.handleDatagram(bytes, source, this.#bases.host.clock.now())
    if (isTaken) this.#drain(socket, inquiry)
    return isTaken
  }

  /** Finds out whether what has been told to the peer is still true, and what could not be told before. */
  askAgain(): void {
    for (const [socket, inquiry] of this.#inquiries) {
      for (const server of this.#servers) this.#ask(socket, inquiry, server)
    }
  }

  /** Reminds NATs of what has been told to the peer. */
  #remind(): void {
    for (const [socket, inquiry] of this.#inquiries) {
      for (const server of this.#servers) {
        if (this.#answered.has(server.url)) this.#ask(socket, inquiry, server)
      }
    }
  }

  /** Mappings are kept for as long as the peer may still come to use them. */
  setRefreshing(isRefreshing: boolean): void {
    if (isRefreshing === this.#isRefreshing) return
    this.#isRefreshing = isRefreshing
    if (isRefreshing) this.#armRefresh()
    else this.#refresh.clear()
  }

  close(): void {
    this.#refresh.clear()
    for (const inquiry of this.#inquiries.values()) end(inquiry)
    this.#inquiries.clear()
  }

  #armRefresh(): void {
    const { clock } = this.#bases.host
    if (this.#isRefreshing && this.#servers.length > 0) {
      this.#refresh.set(later(clock.now(), transportDefaults.bindingRefreshMs))
    }
  }

  #ask(socket: HostSocket, inquiry: Inquiry, server: StunServer): void {
    if (!isSameFamily(socket.address, server.address) || inquiry.pending.has(server)) return
    const { clock } = this.#bases.host
    const deadline = later(clock.now(), this.#deadlineMs)
    inquiry.pending.set(
      server,
      clock.schedule(deadline, () => {
        inquiry.client.cancel(request, clock.now())
        this.#finish(inquiry, server, 'no answer in time')
      }),
    )
    const request = inquiry.client.request(
      { method: 'Binding', attributes: [], destination: server.address, context: server },
      clock.now(),
    )
    this.#drain(socket, inquiry)
  }

  #drain(socket: HostSocket, inquiry: Inquiry): void {
    const { client, alarm } = inquiry
    for (let output = client.poll(); output !== undefined; output = client.poll()) {
      if (output.type === 'transmit') socket.send(output.bytes, output.destination)
      else if (output.type === 'answered') {
        const { response, context } = output
        const mapped = response.get('XOR-MAPPED-ADDRESS') ?? response.get('MAPPED-ADDRESS')
        // The candidate before the end of gathering, which this may be.
        if (mapped !== undefined) this.#told(socket, inquiry, mapped, context)
        this.#finish(inquiry, context, mapped === undefined ? 'an answer without an address' : undefined)
      } else this.#finish(inquiry, output.context, output.failure.type)
    }
    alarm.set(client.pollTimeout())
  }

  #told(socket: HostSocket, inquiry: Inquiry, mapped: TransportAddress, server: StunServer): void {
    this.#answered.add(server.url)
    if (inquiry.mapped.some((known) => known.equals(mapped))) return
    inquiry.mapped.push(mapped)
    if (isSameFamily(mapped, socket.address)) this.#gathered(socket, socket.id!, mapped, socket.local, server)
    else if (this.#prefix64 === undefined) {
      this.#untranslated.push(() => this.#gatherTranslated(socket, mapped, server))
    } else this.#gatherTranslated(socket, mapped, server)
  }

  /** Behind a NAT64: what IPv4 peers see of an IPv6 socket is a base of its own. */
  #gatherTranslated(socket: HostSocket, mapped: TransportAddress, server: StunServer): void {
    if (this.#prefix64 === undefined || !this.#inquiries.has(socket)) return
    const base = socket.translated ?? new TranslatedBase(socket, this.#prefix64)
    socket.translated = base
    base.id ??= this.#bases.add(base, socket.lane)
    this.#gathered(socket, base.id, mapped, mapped, server)
  }

  #gathered(
    { lane }: HostSocket,
    socket: SocketId,
    address: TransportAddress,
    base: TransportAddress | undefined,
    { address: server, url }: StunServer,
  ): void {
    this.#bases.gathered({ ...lane, type: 'srflx', socket, address, base, server, url })
  }

  #finish(inquiry: Inquiry, server: StunServer, problem: string | undefined): void {
    const stopWaiting = inquiry.pending.get(server)
    if (stopWaiting === undefined) return
    inquiry.pending.delete(server)
    stopWaiting()
    if (problem !== undefined && !server.isTurn && !this.#answered.has(server.url)) {
      this.#bases.serverFailed(server.url, problem)
    }
    this.#bases.progressed()
  }
}

function end({ alarm, pending }: Inquiry): void {
  alarm.clear()
  for (const stopWaiting of pending.values()) stopWaiting()
  pending.clear()
}

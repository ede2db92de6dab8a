/**
 * Server-reflexive candidates over TCP (RFC 6544 §5.2): from the very port of a simultaneous-open candidate a STUN server
 * is asked over TLS how it looks from outside. The connection stays, for the NAT forgets the port with it.
 */

import type { SocketId } from '../../core/sans-io.ts'
import { later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { StunClient } from '../../stun/client.ts'
import { type ClientTlsOptions, type OpenClientTransport, openClientTransport } from '../client-transport.ts'
import type { ResolvedServer } from '../resolve-server.ts'
import { type IceBases, isSameFamily, type Lane } from './base.ts'

/** A listener that connections are made from, too. */
export interface SharedListener {
  readonly socket: SocketId
  readonly local: TransportAddress
  readonly lane: Lane
}

interface StreamServer {
  readonly url: string
  readonly server: ResolvedServer
}

export interface TcpReflexiveOptions {
  readonly deadlineMs: number
  readonly tls: ClientTlsOptions | undefined
}

export class TcpReflexive {
  readonly #bases: IceBases
  readonly #options: TcpReflexiveOptions
  readonly #servers: StreamServer[] = []
  readonly #listeners = new Set<SharedListener>()
  readonly #inquiries = new Map<SharedListener, Set<Inquiry>>()
  /** URLs of servers that some listener has had an answer from. */
  readonly #answered = new Set<string>()

  constructor(bases: IceBases, options: TcpReflexiveOptions) {
    this.#bases = bases
    this.#options = options
  }

  get isPending(): boolean {
    for (const inquiries of this.#inquiries.values()) {
      for (const { isPending } of inquiries) if (isPending) return true
    }
    return false
  }

  addServer(url: string, server: ResolvedServer): void {
    const added = { url, server }
    this.#servers.push(added)
    for (const listener of this.#listeners) this.#ask(listener, added)
  }

  listening(listener: SharedListener): void {
    this.#listeners.add(listener)
    for (const server of this.#servers) this.#ask(listener, server)
  }

  closed(socket: SocketId): void {
    for (const listener of [...this.#listeners]) {
      if (listener.socket !== socket) continue
      this.#listeners.delete(listener)
      for (const inquiry of this.#inquiries.get(listener) ?? []) inquiry.close()
      this.#inquiries.delete(listener)
    }
  }

  close(): void {
    for (const inquiries of this.#inquiries.values()) for (const inquiry of inquiries) inquiry.close()
    this.#inquiries.clear()
  }

  #ask(listener: SharedListener, server: StreamServer): void {
    if (!isSameFamily(listener.local, server.server.address)) return
    const inquiries = this.#inquiries.get(listener) ?? new Set()
    this.#inquiries.set(listener, inquiries)
    inquiries.add(new Inquiry(this.#bases, listener, server, this.#options, this.#answered))
  }
}

/** One connection to a server, and the one question that is asked there. */
class Inquiry {
  readonly #bases: IceBases
  readonly #listener: SharedListener
  readonly #server: StreamServer
  readonly #client: StunClient<undefined>
  readonly #transport: OpenClientTransport
  readonly #stopWaiting: () => void
  readonly #answered: Set<string>
  isPending = true

  constructor(
    bases: IceBases,
    listener: SharedListener,
    server: StreamServer,
    { deadlineMs, tls }: TcpReflexiveOptions,
    answered: Set<string>,
  ) {
    this.#answered = answered
    this.#bases = bases
    this.#listener = listener
    this.#server = server
    const { clock, random } = bases.host
    const { address, name, transport } = server.server
    this.#client = new StunClient({ server: address, isReliable: true }, random)
    this.#stopWaiting = clock.schedule(later(clock.now(), deadlineMs), () => this.#fail('no answer in time'))
    this.#transport = openClientTransport(
      bases.host,
      {
        transport,
        server: address,
        serverName: name,
        local: listener.local,
        fromListener: true,
        tls,
        alpn: 'stun.nat-discovery',
        connectTimeoutMs: deadlineMs,
      },
      {
        opened: () => {
          this.#client.request(
            { method: 'Binding', attributes: [], destination: address, context: undefined },
            clock.now(),
          )
          this.#drain()
        },
        failed: (reason) => this.#fail(reason),
        frame: (bytes, source) => {
          this.#client.handleDatagram(bytes, source, clock.now())
          this.#drain()
        },
        sendFailed: () => {},
      },
    )
  }

  close(): void {
    this.isPending = false
    this.#stopWaiting()
    this.#transport.close()
  }

  #drain(): void {
    for (let output = this.#client.poll(); output !== undefined; output = this.#client.poll()) {
      if (output.type === 'transmit') this.#transport.send(output.bytes, output.destination)
      else if (output.type === 'failed') this.#fail(output.failure.type)
      else {
        const mapped = output.response.get('XOR-MAPPED-ADDRESS') ?? output.response.get('MAPPED-ADDRESS')
        if (mapped === undefined) this.#fail('an answer without an address')
        else this.#told(mapped)
      }
    }
  }

  #told(address: TransportAddress): void {
    const { socket, local, lane } = this.#listener
    const { url, server } = this.#server
    this.#answered.add(url)
    this.#bases.gathered({
      ...lane,
      type: 'srflx',
      protocol: 'tcp',
      tcpType: 'so',
      socket,
      address,
      base: local,
      server: server.address,
      url,
    })
    this.#settle()
  }

  #fail(reason: string): void {
    if (!this.isPending) return
    this.close()
    const { url } = this.#server
    if (!this.#answered.has(url)) this.#bases.serverFailed(url, reason)
    this.#bases.progressed()
  }

  #settle(): void {
    if (!this.isPending) return
    this.isPending = false
    this.#stopWaiting()
    this.#bases.progressed()
  }
}

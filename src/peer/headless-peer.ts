/**
 * A peer without a screen: in a room of a signaling server it calls and is called, sends a file or the test card, records,
 * echoes, chats. `await using` it, and nothing is left of it: no timer, no socket, no allocation.
 */

import type { Host } from '../core/host.ts'
import { SignalingClient } from '../signaling/client.ts'
import type { Addressed, IceServer, Joined, PeerSummary } from '../signaling/protocol.ts'
import { Call, type CallHandlers, type CallOptions } from './call.ts'
import type { PeerConnectionConfig } from './peer-connection.ts'

export interface HeadlessPeerOptions {
  /** `ws://` or `wss://` of the signaling server. */
  readonly url: string
  readonly room: string
  readonly name?: string
  readonly token?: string
  /** The machine, or the simulated one, that calls run on; this one unless given. */
  readonly host?: Host
  readonly ice?: PeerConnectionConfig['ice']
  /** Nothing is sent but through TURN. */
  readonly relayOnly?: boolean
  /** Instead of those that the signaling server tells. */
  readonly iceServers?: readonly IceServer[]
  /** How long the server may be out of reach at first. Later on the peer tries to come back for ever. */
  readonly joinTimeoutMs?: number
  /** Decides about a call; unless given, every call is declined. */
  readonly onCall?: (incoming: IncomingCall) => void
  readonly onPeerJoined?: (peer: PeerSummary) => void
  readonly onPeerLeft?: (id: string) => void
}

const defaultJoinTimeoutMs = 10_000

export interface IncomingCall {
  readonly peer: PeerSummary
  accept(options?: CallOptions, handlers?: CallHandlers): Call
  decline(reason?: string): void
}

/** Waits for the answer to our call. */
interface Asking {
  readonly peer: PeerSummary
  /** The call begins, with us as the caller or, when both had called, as the callee. */
  accepted(isCaller: boolean): void
  refused(why: string): void
}

export class HeadlessPeer implements AsyncDisposable {
  readonly #options: HeadlessPeerOptions
  readonly #signaling: SignalingClient
  readonly #peers = new Map<string, PeerSummary>()
  readonly #calls = new Map<string, Call>()
  readonly #asking = new Map<string, Asking>()
  #iceServers: readonly IceServer[] = []

  /** Resolves when the room is joined; rejects with what the server says against it. */
  static join(options: HeadlessPeerOptions): Promise<HeadlessPeer> {
    return new Promise((resolve, reject) => {
      const refuse = (reason: string) => {
        clearTimeout(timer)
        peer.#signaling.close()
        reject(new Error(reason))
      }
      const timeoutMs = options.joinTimeoutMs ?? defaultJoinTimeoutMs
      const timer = setTimeout(() => refuse(`no connection within ${timeoutMs / 1000} s`), timeoutMs)
      const peer: HeadlessPeer = new HeadlessPeer(
        options,
        () => {
          clearTimeout(timer)
          resolve(peer)
        },
        refuse,
      )
    })
  }

  private constructor(options: HeadlessPeerOptions, joined: () => void, refused: (reason: string) => void) {
    this.#options = options
    const { url, room, name, token } = options
    this.#signaling = new SignalingClient(
      { url, room, ...(name === undefined ? {} : { name }), ...(token === undefined ? {} : { token }) },
      {
        joined: (message) => {
          this.#joined(message)
          joined()
        },
        peerJoined: (peer) => {
          this.#peers.set(peer.id, peer)
          options.onPeerJoined?.(peer)
        },
        peerLeft: (id) => this.#peerLeft(id),
        iceServers: (servers) => {
          this.#iceServers = servers
        },
        message: (message) => this.#receive(message),
        error: ({ message, to }) => {
          if (this.#signaling.state === 'closed') refused(message)
          else if (to !== undefined) this.#asking.get(to)?.refused('is not there')
        },
      },
    )
  }

  get id(): string {
    return this.#signaling.id ?? ''
  }

  /** The others in the room. */
  get peers(): readonly PeerSummary[] {
    return [...this.#peers.values()]
  }

  get calls(): readonly Call[] {
    return [...this.#calls.values()]
  }

  /** Asks the peer for a call. Resolves when it has accepted; `call.connected()` tells when the path is there. */
  call(id: string, options: CallOptions = {}, handlers: CallHandlers = {}): Promise<Call> {
    const peer = this.#peers.get(id)
    if (peer === undefined) return Promise.reject(new Error(`no peer ${JSON.stringify(id)} is in the room`))
    return new Promise((resolve, reject) => {
      this.#asking.set(id, {
        peer,
        accepted: (isCaller) => {
          this.#asking.delete(id)
          try {
            resolve(this.#begin(peer, isCaller, options, handlers))
          } catch (cause) {
            this.#signaling.bye(id)
            reject(new Error('the call cannot begin', { cause }))
          }
        },
        refused: (why) => {
          this.#asking.delete(id)
          reject(new Error(`${peer.name === '' ? id : peer.name} ${why}`))
        },
      })
      this.#signaling.call(id)
    })
  }

  /** Ends every call and leaves the room. */
  async close(): Promise<void> {
    await Promise.all(this.calls.map((call) => call.close()))
    for (const { refused } of [...this.#asking.values()]) refused('was not waited for')
    this.#signaling.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #joined({ peers, iceServers }: Joined): void {
    this.#iceServers = iceServers
    this.#peers.clear()
    for (const peer of peers) this.#peers.set(peer.id, peer)
  }

  #peerLeft(id: string): void {
    this.#peers.delete(id)
    this.#asking.get(id)?.refused('is gone')
    const call = this.#calls.get(id)
    // A call that still flows goes on without the server.
    if (call !== undefined && call.connection.connectionState !== 'connected') this.#ended(call, 'is gone')
    this.#options.onPeerLeft?.(id)
  }

  #receive(message: Addressed & { readonly from: string }): void {
    const { from } = message
    const peer = this.#peers.get(from)
    const call = this.#calls.get(from)
    if (peer === undefined) return
    switch (message.type) {
      case 'call':
        this.#called(peer)
        return
      case 'accept':
        this.#asking.get(from)?.accepted(true)
        return
      case 'decline':
        this.#asking
          .get(from)
          ?.refused(`declined${message.reason === undefined ? '' : `: ${message.reason}`}`)
        return
      case 'bye':
        this.#asking.get(from)?.refused('hung up')
        if (call !== undefined) this.#ended(call, message.reason ?? 'the peer hung up')
        return
      case 'signal':
        call?.receive(message.data).catch((error) => {
          call.close(`what the peer sent does not fit: ${error}`).catch(() => {})
        })
    }
  }

  #called(peer: PeerSummary): void {
    const asking = this.#asking.get(peer.id)
    if (asking !== undefined) {
      // Both have called: the one with the lower id accepts, and the other one waits for that.
      if (this.id > peer.id) return
      asking.accepted(false)
      this.#signaling.accept(peer.id)
      return
    }
    let isDecided = false
    const decide = () => {
      if (isDecided) throw new Error('the call was accepted or declined already')
      isDecided = true
    }
    const incoming: IncomingCall = {
      peer,
      accept: (options = {}, handlers = {}) => {
        decide()
        const call = this.#begin(peer, false, options, handlers)
        this.#signaling.accept(peer.id)
        return call
      },
      decline: (reason) => {
        decide()
        this.#signaling.decline(peer.id, reason)
      },
    }
    if (this.#options.onCall === undefined) incoming.decline('takes no calls')
    else this.#options.onCall(incoming)
  }

  #begin(peer: PeerSummary, isCaller: boolean, options: CallOptions, handlers: CallHandlers): Call {
    const before = this.#calls.get(peer.id)
    if (before !== undefined) this.#ended(before, 'was replaced by another call')
    const call: Call = new Call(
      peer,
      options,
      {
        isCaller,
        isLower: this.id < peer.id,
        configuration: () => this.#configuration(),
        send: (data) => this.#signaling.signal(peer.id, data),
        leave: (reason) => {
          this.#signaling.bye(peer.id, reason?.slice(0, 256))
          if (this.#calls.get(peer.id) === call) this.#calls.delete(peer.id)
        },
      },
      handlers,
    )
    this.#calls.set(peer.id, call)
    return call
  }

  #ended(call: Call, reason: string): void {
    if (this.#calls.get(call.peer.id) === call) this.#calls.delete(call.peer.id)
    call.end(reason).catch(() => {})
  }

  #configuration(): PeerConnectionConfig {
    const { host, ice, relayOnly, iceServers = this.#iceServers } = this.#options
    return {
      iceServers: iceServers.flatMap(({ urls, ...credentials }) =>
        urls.map((url) => ({ urls: url, ...credentials })),
      ),
      iceTransportPolicy: relayOnly === true ? 'relay' : 'all',
      ...(host === undefined ? {} : { host }),
      ...(ice === undefined ? {} : { ice }),
    }
  }
}

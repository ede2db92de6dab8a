/**
 * ICE agents that we did not write, each in a process of its own (test/interop/ice-peers). They read commands and tell
 * events, as lines of JSON; data that reaches them comes back with `echo ` before it.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { UdpBindOptions, UdpHandlers, UdpSocket } from '../../src/core/host.ts'
import { type AddressWords, TransportAddress } from '../../src/core/transport-address.ts'
import { formatCandidate, parseCandidate } from '../../src/ice/candidate-line.ts'
import type { IceDescription } from '../../src/ice/credentials.ts'
import type { IceTransportOptions } from '../../src/net/ice/options.ts'
import { type IceTransport, type IceTransportEvent, openIce } from '../../src/net/ice/transport.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { until } from './until.ts'

export const peerPrograms = {
  aioice: { script: 'aioice_peer.py', connected: ['connected'] },
  libnice: { script: 'libnice_peer.py', connected: ['ready'] },
  // It says 'completed' when it has gathered.
  werift: { script: 'werift-peer.ts', connected: ['connected'] },
  'node-datachannel': { script: 'node-datachannel-peer.ts', connected: ['connected', 'completed'] },
} as const

export type PeerProgram = keyof typeof peerPrograms

export interface TurnAccess {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly transport: 'udp' | 'tcp'
}

export interface PeerConfig {
  readonly role: 'controlling' | 'controlled'
  /** Nothing but candidates of this server. */
  readonly turn?: TurnAccess
  readonly remoteLite?: boolean
  readonly lite?: boolean
}

/** Debian's own Python: the packages are there. */
const python = '/usr/bin/python3'

export class ForeignPeer {
  readonly program: PeerProgram
  readonly states: string[] = []
  readonly received: string[] = []
  candidates: string[] = []
  descriptions: IceDescription[] = []
  gathered = 0
  readonly #process: ChildProcess
  #errors = ''

  constructor(program: PeerProgram, config: PeerConfig) {
    this.program = program
    const path = fileURLToPath(
      new URL(`../interop/ice-peers/${peerPrograms[program].script}`, import.meta.url),
    )
    const args = [path, JSON.stringify({ address: '127.0.0.1', ...config })]
    this.#process = spawn(path.endsWith('.py') ? python : process.execPath, args, { stdio: 'pipe' })
    let rest = ''
    this.#process.stdout!.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line.startsWith('{')) this.#handle(JSON.parse(line))
    })
    this.#process.stderr!.on('data', (chunk) => {
      this.#errors += chunk
    })
    this.#process.stdin!.on('error', () => {})
  }

  get isConnected(): boolean {
    const connected: readonly string[] = peerPrograms[this.program].connected
    return this.states.some((state) => connected.includes(state))
  }

  send(command: 'remote' | 'candidate' | 'end' | 'restart', more: object = {}): void {
    this.#process.stdin!.write(`${JSON.stringify({ command, ...more })}\n`)
  }

  /** Everything that it has told, for the message of a failure. */
  toString(): string {
    return `${this.program}: states ${this.states.join()}, candidates ${this.candidates.join('; ')}\n${this.#errors}`
  }

  /** Waits until something holds; what the peer has told is in the message if it never does. */
  async until(holds: () => boolean): Promise<void> {
    try {
      await until(holds)
    } catch (cause) {
      throw new Error(`${this}`, { cause })
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null) {
        resolve()
        return
      }
      const limit = setTimeout(() => this.#process.kill('SIGKILL'), 2000)
      this.#process.on('exit', () => {
        clearTimeout(limit)
        resolve()
      })
      this.#process.stdin!.end()
    })
  }

  #handle(event: { readonly event: string; readonly [key: string]: string }): void {
    switch (event.event) {
      case 'description':
        this.candidates = []
        this.descriptions.push({ ufrag: event.ufrag!, pwd: event.pwd! })
        return
      case 'candidate':
        this.candidates.push(event.candidate!)
        return
      case 'gathered':
        this.gathered++
        return
      case 'state':
        this.states.push(event.state!)
        return
      case 'data':
        this.received.push(event.text!)
        return
      default:
    }
  }
}

/** This machine, with a firewall that lets in what the test wants. */
class FirewalledHost extends NodeHost {
  lets: (source: TransportAddress) => boolean = () => true

  override bindUdp(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket {
    return super.bindUdp(options, {
      ...handlers,
      datagram: (bytes: Uint8Array, source: AddressWords) => {
        if (this.lets(TransportAddress.from(source))) handlers.datagram(bytes, source)
      },
    })
  }
}

/** Ours, on real sockets of loopback. */
export class OurPeer {
  readonly host = new FirewalledHost()
  readonly transport: IceTransport
  readonly events: IceTransportEvent[] = []
  readonly received: Uint8Array[] = []

  constructor(options: IceTransportOptions) {
    this.transport = openIce(
      this.host,
      { interfaces: { loopback: true, allow: [] }, ...options },
      {
        onEvent: (event) => this.events.push(event),
        onData: (bytes) => this.received.push(bytes),
      },
    )
    this.transport.gather()
  }

  get isGathered(): boolean {
    return this.events.some((event) => event.type === 'gathering' && event.state === 'complete')
  }

  /** Candidate lines of the newest generation. */
  get candidates(): string[] {
    const { ufrag } = this.transport.localDescription
    return this.events
      .filter((event) => event.type === 'local-candidate' && event.ufrag === ufrag)
      .map((event) => (event.type === 'local-candidate' ? formatCandidate(event.candidate) : ''))
  }

  get texts(): string[] {
    return this.received.map((bytes) => new TextDecoder().decode(bytes))
  }

  /** Everything that we have told, for the message of a failure. */
  toString(): string {
    const events = this.events.map((event) =>
      'state' in event ? `${event.type} ${event.state}` : event.type,
    )
    const pairs = this.transport
      .pairs()
      .map(({ local, remote, state, failure, failureDetail }) =>
        [local.type, `${local.base}`, remote.type, `${remote.address}`, state, failure, failureDetail].join(
          ' ',
        ),
      )
    return `we: ${this.transport.state}; ${events.join()}\n${pairs.join('\n')}`
  }

  /** Takes what the peer has signalled in its latest generation. */
  take(peer: ForeignPeer, description: IceDescription = peer.descriptions.at(-1)!): void {
    this.transport.connect(description)
    for (const line of peer.candidates) this.takeCandidate(line)
  }

  takeCandidate(line: string): void {
    const candidate = parseCandidate(line)
    if (typeof candidate !== 'string') this.transport.addRemoteCandidate(candidate)
  }
}

/** Exchanges everything, in two messages or one by one, until both sides have what the other has. */
export async function signal(
  ours: OurPeer,
  peer: ForeignPeer,
  {
    trickle = false,
    generation = 1,
    password,
  }: {
    trickle?: boolean
    generation?: number
    password?: string
  } = {},
): Promise<void> {
  await until(() => ours.isGathered, 'our candidates')
  const { ufrag, pwd } = ours.transport.localDescription
  peer.send('remote', { ufrag, pwd: password ?? pwd })
  if (!trickle) for (const candidate of ours.candidates) peer.send('candidate', { candidate })
  await peer.until(() => peer.descriptions.length >= generation && peer.gathered >= generation)
  const description = peer.descriptions.at(-1)!
  const theirs = password === undefined ? description : { ...description, pwd: password }
  if (!trickle) ours.take(peer, theirs)
  else {
    ours.transport.connect(theirs)
    for (const candidate of ours.candidates) {
      peer.send('candidate', { candidate })
      await pause()
    }
    for (const line of peer.candidates) {
      ours.takeCandidate(line)
      await pause()
    }
  }
  peer.send('end')
  ours.transport.endOfRemoteCandidates()
}

/** What signaling takes at least. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}

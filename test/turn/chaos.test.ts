/**
 * Clients that do anything in any order, while the system binds, refuses and dawdles: what the engine holds is at all
 * times what the world holds for it, and nothing is left when everybody has gone.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SocketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import type { Holdings } from '../../src/turn/holdings.ts'
import type { ServerOutput } from '../../src/turn/outputs.ts'
import { always } from '../support/property.ts'
import {
  codeOf,
  peer6,
  peerA,
  peerB,
  type Sent,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const nothing: Holdings = {
  allocations: 0,
  clients: 0,
  relaySockets: 0,
  permissions: 0,
  channels: 0,
  reservations: 0,
  mobileAllocations: 0,
  peerConnections: 0,
  streams: 0,
  ports: 0,
  users: 0,
  deadlines: 0,
}

const wishes = {
  IPv4: [],
  IPv6: [['REQUESTED-ADDRESS-FAMILY', 'IPv6']],
  dual: [['ADDITIONAL-ADDRESS-FAMILY', 'IPv6']],
  even: [['EVEN-PORT', { reserveNext: false }]],
  pair: [['EVEN-PORT', { reserveNext: true }]],
  mobile: [['MOBILITY-TICKET', new Uint8Array(0)]],
  mobileDual: [
    ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6'],
    ['MOBILITY-TICKET', new Uint8Array(0)],
  ],
} satisfies Record<string, Attribute[]>

const passwords: Readonly<Record<string, string>> = { alice: 'wonder', bob: 'builder' }

const peers = [peerA, peerB, peer6] as const
const answers = ['binds', 'later', 'EADDRINUSE', 'EMFILE'] as const

/** Three come by UDP, one by TCP. */
const client = fc.nat(3)
const streamClient = 3
const peer = fc.constantFrom(...peers)
const channel = fc.integer({ min: 0x4000, max: 0x4002 })
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('allocate' as const),
      client,
      wish: fc.constantFrom(...(Object.keys(wishes) as (keyof typeof wishes)[])),
      system: fc.array(fc.constantFrom(...answers), { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('redeem' as const), client }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('refresh' as const),
      client,
      lifetime: fc.constantFrom(0, 1, 600, 1000),
      family: fc.constantFrom(undefined, 'IPv4' as const, 'IPv6' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('resume' as const), client, ticket: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('roam' as const), client, sends: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('permit' as const), client, peer }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('bind-channel' as const), client, channel, peer }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), client, peer }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send-channel' as const), client, channel }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('from-peer' as const), socket: fc.nat(9), peer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('icmp' as const), socket: fc.nat(9), peer }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), binds: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('garbage' as const), client, bytes: fc.uint8Array() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('elapse' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

class Chaos {
  readonly harness: TurnHarness
  readonly clients: TurnClient[]
  readonly connected: boolean[]
  readonly tokens: Uint8Array[] = []
  readonly tickets: Uint8Array[] = []
  readonly ticketOf: (Uint8Array | undefined)[] = []
  moves = 0
  roams = 0
  /** Relay sockets that are open or asked for, by the outputs alone. */
  readonly sockets = new Set<SocketId>()
  readonly dawdling: SocketId[] = []
  #system: (typeof answers)[number][] = []

  constructor() {
    this.harness = new TurnHarness({
      mobility: true,
      relayPorts: { min: 50_000, max: 50_011 },
      userQuota: 4,
      maxPermissions: 2,
      maxChannels: 2,
      maxLifetime: 1000,
    })
    this.harness.bindPolicy = () => {
      const answer = this.#system.shift() ?? 'binds'
      return answer === 'binds' ? undefined : answer
    }
    this.harness.watch = (output) => this.#watch(output)
    this.clients = [0, 1, 2, 3].map((i) => {
      const user = i % 2 === 0 ? 'alice' : 'bob'
      const password = passwords[user]
      const address = TransportAddress.of(`203.0.113.${i + 1}`, 4000)
      return i !== streamClient
        ? this.harness.client(user, password, address)
        : this.harness.streamClient('tcp', user, password)
    })
    this.connected = this.clients.map(() => true)
  }

  run(step: Step): void {
    const { harness } = this
    switch (step.do) {
      case 'allocate':
        this.#system = [...step.system]
        this.#keep(
          step.client,
          this.#request(step.client, 'Allocate', [['REQUESTED-TRANSPORT', 17], ...wishes[step.wish]]),
        )
        this.#system = []
        return
      case 'redeem': {
        const token = this.tokens.shift()
        if (token === undefined) return
        this.#request(step.client, 'Allocate', [
          ['REQUESTED-TRANSPORT', 17],
          ['RESERVATION-TOKEN', token],
        ])
        return
      }
      case 'refresh': {
        const { client, lifetime, family } = step
        const more: Attribute[] = family === undefined ? [] : [['REQUESTED-ADDRESS-FAMILY', family]]
        this.#request(client, 'Refresh', [['LIFETIME', lifetime], ...more])
        return
      }
      case 'resume': {
        const ticket = this.tickets.at(-1 - step.ticket)
        if (ticket !== undefined)
          this.#keep(step.client, this.#request(step.client, 'Refresh', [['MOBILITY-TICKET', ticket]]))
        return
      }
      case 'roam': {
        // The client has another address from now on, and goes on there with its last ticket.
        const ticket = this.ticketOf[step.client]
        const { username } = this.#client(step)
        if (ticket === undefined || step.client === streamClient) return
        const address = TransportAddress.of(`203.0.113.${step.client + 1}`, 4001 + this.roams++)
        this.clients[step.client] = harness.client(username, passwords[username], address)
        this.#keep(step.client, this.#request(step.client, 'Refresh', [['MOBILITY-TICKET', ticket]]))
        if (step.sends) this.#data(() => this.#client(step).sendIndication(peerA, text('here')))
        return
      }
      case 'permit':
        this.#request(step.client, 'CreatePermission', [['XOR-PEER-ADDRESS', step.peer]])
        return
      case 'bind-channel':
        this.#request(step.client, 'ChannelBind', [
          ['CHANNEL-NUMBER', step.channel],
          ['XOR-PEER-ADDRESS', step.peer],
        ])
        return
      case 'send':
        if (this.connected[step.client])
          this.#data(() => this.#client(step).sendIndication(step.peer, text('data')))
        return
      case 'send-channel':
        if (this.connected[step.client]) {
          this.#data(() => this.#client(step).sendChannelData(step.channel, text('data')))
        }
        return
      case 'from-peer': {
        const socket = this.#pick(step.socket)
        if (socket !== undefined) this.#data(() => harness.fromPeer(socket, step.peer, text('data')))
        return
      }
      case 'icmp': {
        const socket = this.#pick(step.socket)
        if (socket === undefined) return
        this.#data(() => {
          harness.server.handleIcmp(socket, step.peer, 3, 3, 0, harness.now)
          harness.drain()
          return undefined
        })
        return
      }
      case 'settle': {
        const socket = this.dawdling.shift()
        if (socket === undefined) return
        if (step.binds) harness.server.relayBound(socket, harness.now)
        else {
          this.sockets.delete(socket)
          harness.server.relayFailed(socket, 'EADDRINUSE', harness.now)
        }
        harness.drain()
        return
      }
      case 'disconnect': {
        const { socket, address } = this.#client(step)
        if (step.client !== streamClient || !this.connected[step.client]) return
        this.connected[step.client] = false
        harness.server.streamClosed(socket, address)
        harness.drain()
        return
      }
      case 'garbage':
        if (this.connected[step.client]) this.#data(() => this.#client(step).raw(step.bytes))
        return
      case 'elapse':
        harness.elapse(step.seconds)
        return
    }
  }

  check(): void {
    const { holdings, counters } = this.harness.server
    expect(this.sockets.size).toBe(holdings.relaySockets)
    expect(holdings.ports).toBeGreaterThanOrEqual(holdings.relaySockets)
    expect(holdings.reservations).toBeLessThanOrEqual(holdings.relaySockets)
    expect(holdings.clients).toBeLessThanOrEqual(holdings.allocations * 2)
    expect(holdings.permissions).toBeLessThanOrEqual(holdings.allocations * 2)
    expect(holdings.channels).toBeLessThanOrEqual(holdings.allocations * 2)
    expect(counters.allocations).toBeLessThanOrEqual(8)
  }

  /** Whoever can leaves, connections close, the system makes up its mind, and the longest lifetime passes. */
  end(): void {
    for (const i of this.clients.keys())
      this.run({ do: 'refresh', client: i, lifetime: 0, family: undefined })
    this.run({ do: 'disconnect', client: streamClient })
    while (this.dawdling.length > 0) this.run({ do: 'settle', binds: this.dawdling.length % 2 === 0 })
    this.harness.elapse(1000)
  }

  #client(step: { readonly client: number }): TurnClient {
    return this.clients[step.client]!
  }

  #pick(index: number): SocketId | undefined {
    return [...this.sockets][index % Math.max(1, this.sockets.size)]
  }

  /** A request as a client makes it that renews its nonce; undefined while the answer is to come. */
  #request(index: number, method: MethodName, attributes: readonly Attribute[]): Message | undefined {
    const client = this.clients[index]!
    if (!this.connected[index]) return undefined
    client.nonce ??= client.challenge()
    const answer = client.exchange(client.encode(method, attributes))
    if (codeOf(answer) !== 438) return answer
    client.nonce = answer?.get('NONCE')
    return client.exchange(client.encode(method, attributes))
  }

  #keep(index: number, answer: Message | undefined): void {
    const token = answer?.get('RESERVATION-TOKEN')
    const ticket = answer?.get('MOBILITY-TICKET')
    if (token !== undefined) this.tokens.push(token.slice())
    if (ticket === undefined) return
    this.tickets.push(ticket.slice())
    this.ticketOf[index] = ticket.slice()
  }

  /** One datagram in: at most one out, and no answer. */
  #data(input: () => Sent | undefined): void {
    this.harness.takeOutputs()
    const sent = input()
    const transmitted = this.harness.takeOutputs().filter(({ type }) => type === 'transmit')
    expect(transmitted.length + (sent === undefined ? 0 : 1)).toBeLessThanOrEqual(1)
  }

  #watch(output: ServerOutput): void {
    if (output.type === 'allocation-moved') this.moves++
    if (output.type === 'bind-relay') {
      expect(this.sockets.has(output.socket)).toBe(false)
      this.sockets.add(output.socket)
      const [answer] = this.#system
      if (answer === 'later') this.dawdling.push(output.socket)
      if (answer === 'EADDRINUSE' || answer === 'EMFILE') this.sockets.delete(output.socket)
    }
    if (output.type === 'close-relay') {
      expect(this.sockets.delete(output.socket)).toBe(true)
      const at = this.dawdling.indexOf(output.socket)
      if (at >= 0) this.dawdling.splice(at, 1)
    }
  }
}

describe('the engine', () => {
  it('holds what the world holds for it, after every step, and nothing in the end', () => {
    always(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const chaos = new Chaos()
        for (const step of steps) {
          chaos.run(step)
          chaos.check()
        }
        chaos.end()
        expect(chaos.harness.server.holdings).toEqual(nothing)
        expect(chaos.harness.server.pollTimeout()).toBeUndefined()
        expect(chaos.sockets.size).toBe(0)
      }),
      300,
    )
  })

  it('holds nothing after it is closed in the middle of anything', () => {
    always(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const chaos = new Chaos()
        for (const step of steps) chaos.run(step)
        chaos.run({ do: 'disconnect', client: streamClient })
        chaos.harness.server.closeAll()
        chaos.harness.drain()
        expect(chaos.harness.server.holdings).toEqual(nothing)
        expect(chaos.sockets.size).toBe(0)
      }),
      200,
    )
  })

  it('does all of that in these runs, and not only refuse', () => {
    const total = { created: 0, relayed: 0, moved: 0, reserved: 0 }
    always(
      fc.property(fc.array(step, { minLength: 60, maxLength: 80 }), (steps) => {
        const chaos = new Chaos()
        for (const step of steps) {
          chaos.run(step)
          total.reserved = Math.max(total.reserved, chaos.harness.server.holdings.reservations)
        }
        const { counters } = chaos.harness.server
        total.created += counters.allocationsCreated
        total.relayed += counters.packetsFromClient + counters.packetsToClient
        total.moved += chaos.moves
      }),
      100,
    )
    expect(total.created).toBeGreaterThan(150)
    expect(total.relayed).toBeGreaterThan(40)
    expect(total.moved).toBeGreaterThan(5)
    expect(total.reserved).toBeGreaterThan(0)
  })
})

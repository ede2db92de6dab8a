import { describe, expect, it } from 'vitest'
import { datagramOf, socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { nodeClock, nodeRandom } from '../../src/net/node-host.ts'
import type { UdpDriverHandlers } from '../../src/net/udp-driver.ts'
import type { LogFields } from '../../src/server/log.ts'
import { Shard } from '../../src/server/shard.ts'
import { shardLog } from '../../src/server/shard-log.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { PeerPolicy } from '../../src/turn/peer-policy.ts'
import { TurnServer } from '../../src/turn/server.ts'

const listening = TransportAddress.parse('192.0.2.1:3478')
const client = TransportAddress.parse('203.0.113.1:1000')
const binding = encodeMessage({
  class: 'request',
  method: 'Binding',
  transactionId: new Uint8Array(12),
  attributes: [],
})

/** A server whose engine throws for a certain datagram, as it must not, over a driver without sockets. */
class FaultyServer {
  readonly errors: LogFields[] = []
  readonly sent: string[] = []
  #handlers: UdpDriverHandlers | undefined

  constructor() {
    const engine = new TurnServer(
      {
        realm: 'example.org',
        credentials: undefined,
        relays: [],
        relayPorts: { min: 50_000, max: 50_001 },
        peerPolicy: new PeerPolicy({ allow: [], deny: [] }),
        ownAddresses: [listening],
      },
      nodeRandom,
    )
    const handleDatagram = engine.handleDatagram.bind(engine)
    engine.handleDatagram = (datagram, now) => {
      if (datagram.bytes[0] === 0x3f) throw new RangeError('a mistake')
      return handleDatagram(datagram, now)
    }
    const silent = () => {}
    const log = {
      debug: silent,
      info: silent,
      warn: silent,
      error: (_message: string, fields: LogFields = {}) => void this.errors.push(fields),
    }
    const driver = {
      bind: silent,
      transmit: (_socket: number, destination: unknown) => void this.sent.push(String(destination)),
      forward: silent,
      close: silent,
      flush: () => {},
      closeAll: silent,
    }
    new Shard(
      engine,
      nodeClock,
      (handlers) => {
        this.#handlers = handlers
        return driver
      },
      undefined,
      shardLog(log),
    )
  }

  receive(bytes: Uint8Array): void {
    this.#handlers?.datagram(datagramOf(socketId(0), client, bytes))
  }
}

describe('a mistake in the engine', () => {
  it('costs the packet that has hit it, and nobody else anything', () => {
    const server = new FaultyServer()
    server.receive(binding)
    server.receive(Uint8Array.of(0x3f))
    server.receive(binding)
    expect(server.sent).toEqual([`${client}`, `${client}`])
  })

  it('is logged with its stack, seldom, however often it is hit', () => {
    const server = new FaultyServer()
    for (let i = 0; i < 1000; i++) server.receive(Uint8Array.of(0x3f))
    expect(server.errors.map(({ times }) => times)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    expect(server.errors[0]?.what).toMatch(/RangeError: a mistake\n {4}at .*shard\.test\.ts/)
  })
})

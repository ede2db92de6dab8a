/** Two clients of one server whose engines are two: they reach each other at their relayed addresses all the same. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { RealClient } from '../support/real-client.ts'

const modes: [string, string[]][] = [
  ['mmsg or what there is, one worker', []],
  ['mmsg or what there is, two workers', ['--workers', '2']],
  ['dgram, two workers', ['--workers', '2', '--io', 'dgram']],
  ['behind a 1:1 NAT, two workers', ['--workers', '2', '--external-address', '198.18.0.1']],
]

describe.each(modes)('a server with %s', (_name, flags) => {
  let server: Child
  let ports: Record<string, number>

  beforeAll(async () => {
    server = await startTurnpike([
      ...['--listen', 'tcp://127.0.0.1:0', '--relay-address', '127.0.0.1', '--user', 'u:p'],
      ...['--unauthenticated-rate', '0', ...flags],
    ])
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    const listeners: { transport: string; port: number }[] = JSON.parse(line).listeners
    ports = Object.fromEntries(listeners.map(({ transport, port }) => [transport, port]))
  })

  afterAll(async () => {
    await server?.stop()
  })

  function client(transport: 'udp' | 'tcp', more: Partial<TurnConnectionOptions> = {}): RealClient {
    return new RealClient({
      ...more,
      transport,
      server: { address: TransportAddress.of('127.0.0.1', ports[transport]!), name: 'turn.example.org' },
      credentials: { username: 'u', password: 'p' },
    })
  }

  it('relays between clients of UDP and of TCP, and between many of UDP', async () => {
    const clients = [client('tcp'), ...Array.from({ length: 6 }, () => client('udp'))]
    for (const each of clients) await each.until('allocated')
    const [first, ...others] = clients
    const peers = [...others.map((other) => [first!, other] as const), [others[0]!, others[1]!] as const]
    for (const [left, right] of peers) {
      left.connection.permit(right.relayed)
      right.connection.permit(left.relayed)
      const text = `${left.relayed} to ${right.relayed}`
      const arrived = () =>
        right.received.some((packet) => packet.text === text && packet.from === `${left.relayed}`)
      const repeat = setInterval(() => left.send(right.relayed, text), 100)
      try {
        await right.when(arrived)
      } finally {
        clearInterval(repeat)
      }
    }
    for (const each of clients) await each.close()
    expect(peers.length).toBe(7)
  }, 120_000)

  it('gives a reserved port to who shows the token, by whatever way that one comes in', async () => {
    for (const [from, to] of [
      ['udp', 'tcp'],
      ['tcp', 'udp'],
      ['udp', 'udp'],
      ['udp', 'udp'],
      ['udp', 'udp'],
    ] as const) {
      const first = client(from, { evenPort: { reserveNext: true } })
      await first.until('allocated')
      const second = client(to, { reservationToken: first.connection.allocation!.reservationToken })
      await second.until('allocated')
      expect(second.relayed.port).toBe(first.relayed.port + 1)
      await first.close()
      await second.close()
    }
  }, 120_000)
})

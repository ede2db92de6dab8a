/** The server inside of this process: what it opens, what it refuses to open, and that it leaves nothing. */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log, LogFields } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { quietPorts } from '../support/quiet-ports.ts'
import { host, RealClient, startEchoPeer } from '../support/real-client.ts'
import { UdpEndpoint } from '../support/udp-endpoint.ts'
import { until } from '../support/until.ts'

interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

function recordingLog(): Log & { lines: LogLine[] } {
  const lines: LogLine[] = []
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields })
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function udp(ip: string, port = 0, isOptional = false) {
  return { transport: 'udp', address: TransportAddress.of(ip, port), isOptional } as const
}

const base: ServeConfig = {
  ...defaultConfig,
  io: 'dgram',
  listen: [udp('127.0.0.1')],
  users: [{ name: 'alice', password: 'wonder' }],
  allowPeers: [parseAddressRange('127.0.0.0/8')],
}

function clientOf(server: RunningServer): RealClient {
  return new RealClient({
    transport: 'udp',
    server: { address: server.listeners[0]!.address, name: 'localhost' },
    credentials: { username: 'alice', password: 'wonder' },
  })
}

/** Names of what keeps this process alive. */
function udpHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length
}

describe('a server', () => {
  it('relays, logs one line at the start and one at the end of an allocation, and leaves no socket when it is closed', async () => {
    const before = udpHandles()
    const log = recordingLog()
    const peer = await startEchoPeer()
    const server = await startServer(base, host, log)
    const client = clientOf(server)
    client.connection.permit(peer.address)
    await client.until('permission-installed')
    await client.echo(peer.address, 'hello')
    const { relayed } = client
    expect(server.counters.allocations).toBe(1)
    await client.close()
    await until(() => server.counters.allocations === 0)
    const [started, ended, ...more] = log.lines.filter(({ message }) => message.startsWith('allocation'))
    expect(started).toMatchObject({ level: 'info', message: 'allocation started' })
    expect(started?.fields).toMatchObject({ user: 'alice', transport: 'udp', relayed: `${relayed}` })
    expect(ended).toMatchObject({ level: 'info', message: 'allocation ended' })
    expect(ended?.fields).toMatchObject({ ...started?.fields, reason: 'released', seconds: 0 })
    expect(ended?.fields.bytesFromClient).toBeGreaterThanOrEqual(5)
    expect(ended?.fields.bytesToClient).toBeGreaterThanOrEqual(5)
    expect(more).toEqual([])
    await server.close()
    peer.close()
    await until(() => udpHandles() <= before, 'the end of all sockets')
  })

  it('ends allocations when it is closed, and gives their ports back', async () => {
    const log = recordingLog()
    const port = await quietPorts(1)
    const config = { ...base, relayPorts: { min: port, max: port } }
    const server = await startServer(config, host, log)
    const client = clientOf(server)
    await client.until('allocated')
    await server.close()
    expect(log.lines.at(-1)?.fields).toMatchObject({ reason: 'shutdown', user: 'alice' })
    const again = await startServer(config, host, recordingLog())
    const other = clientOf(again)
    await other.until('allocated')
    expect(other.relayed.port).toBe(port)
    await other.close()
    await again.close()
    client.connection.close()
  })

  it('skips a relay port that another program has', async () => {
    const port = await quietPorts(2)
    const other = await UdpEndpoint.open('127.0.0.1', port)
    const server = await startServer(
      { ...base, relayPorts: { min: port, max: port + 1 } },
      host,
      recordingLog(),
    )
    const client = clientOf(server)
    await client.until('allocated')
    expect(client.relayed.port).toBe(port + 1)
    await client.close()
    await server.close()
    other.close()
  })

  it('tells clients the external address, relays between two of them there, and nothing leaves it', async () => {
    const outside = TransportAddress.of('198.51.100.77', 0)
    const server = await startServer(
      { ...base, externalAddresses: [{ external: outside, relay: undefined }] },
      host,
      recordingLog(),
    )
    const [alice, bob] = [clientOf(server), clientOf(server)]
    await alice.until('allocated')
    await bob.until('allocated')
    expect([alice.relayed.ip, bob.relayed.ip]).toEqual([outside.ip, outside.ip])
    alice.connection.permit(bob.relayed)
    bob.connection.permit(alice.relayed)
    await Promise.all([alice.until('permission-installed'), bob.until('permission-installed')])
    const arrived = () => bob.received.some(({ text }) => text === 'hello neighbour')
    await until(() => {
      if (!arrived()) alice.send(bob.relayed, 'hello neighbour')
      return arrived()
    })
    expect(bob.received[0]?.from).toBe(`${alice.relayed}`)
    await alice.close()
    await bob.close()
    await server.close()
  })
})

describe('a server is not started', () => {
  const refusals: [string, Partial<ServeConfig>, string, string][] = [
    ['without users', { users: [] }, 'no-credentials', '--user name:password'],
    [
      'on an address of another host',
      { listen: [udp('192.0.2.1', 3478)], relayAddresses: [TransportAddress.of('127.0.0.1', 0)] },
      'configuration-invalid',
      'udp://192.0.2.1:3478',
    ],
    [
      'to relay from an address of another host',
      { relayAddresses: [TransportAddress.of('192.0.2.1', 0)] },
      'relay-address-unavailable',
      '192.0.2.1',
    ],
  ]
  it.each(refusals)(
    '%s: the error says what to do, and nothing stays open',
    async (_name, changes, code, named) => {
      const before = udpHandles()
      await expect(startServer({ ...base, ...changes }, host, recordingLog())).rejects.toMatchObject({
        code,
        message: expect.stringContaining(named),
      })
      await until(() => udpHandles() <= before, 'the end of all sockets')
    },
  )

  it('on a port in use, and what was opened before is closed', async () => {
    const other = await UdpEndpoint.open()
    const before = udpHandles()
    const listen = [udp('127.0.0.1'), udp('127.0.0.1', other.port)]
    await expect(startServer({ ...base, listen }, host, recordingLog())).rejects.toMatchObject({
      code: 'listen-failed',
      message: expect.stringMatching(/EADDRINUSE.*stop it, or listen elsewhere/),
    })
    await until(() => udpHandles() <= before, 'the end of all sockets')
    other.close()
  })
})

describe('a default that the host lacks', () => {
  it('is a warning, where an address by name is an error', async () => {
    const log = recordingLog()
    const server = await startServer(
      {
        ...base,
        listen: [udp('127.0.0.1'), udp('192.0.2.1', 3478, true)],
        relayAddresses: [TransportAddress.of('127.0.0.1', 0)],
      },
      new NodeHost(),
      log,
    )
    expect(server.listeners).toHaveLength(1)
    expect(log.lines).toContainEqual({
      level: 'warn',
      message: 'not listening',
      fields: { transport: 'udp', address: '192.0.2.1:3478', reason: 'EADDRNOTAVAIL' },
    })
    await server.close()
  })

  it('of authentication, by the operator\u2019s word, is a warning too', async () => {
    const log = recordingLog()
    const server = await startServer({ ...base, users: [], noAuth: true }, host, log)
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      expect.stringContaining('everybody'),
    ])
    await server.close()
  })
})

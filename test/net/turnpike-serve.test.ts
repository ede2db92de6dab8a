/** The client on this machine's sockets against `turnpike serve`, as a user would start it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { dialTurn } from '../../src/net/turn-dial.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { CertificateFolder, type TestCertificate } from '../support/certificates.ts'
import { type Child, startCli } from '../support/programs.ts'
import { type EchoPeer, exchange, host, RealClient, startEchoPeer } from '../support/real-client.ts'

const transports = ['udp', 'tcp', 'tls'] as const
type Transport = (typeof transports)[number]

describe('the client with turnpike serve', () => {
  const folder = new CertificateFolder()
  let certificate: TestCertificate
  let server: Child
  let peer: EchoPeer
  let ports: Record<Transport, number>

  beforeAll(async () => {
    certificate = folder.make('localhost')
    peer = await startEchoPeer()
    server = startCli([
      'serve',
      ...transports.flatMap((transport) => ['--listen', `${transport}://127.0.0.1:0`]),
      ...['--tls-cert', certificate.certificateFile, '--tls-key', certificate.keyFile],
      ...['--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8'],
    ])
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    const { listeners } = JSON.parse(line) as { listeners: { transport: Transport; port: number }[] }
    ports = Object.fromEntries(listeners.map(({ transport, port }) => [transport, port])) as typeof ports
  })

  afterAll(async () => {
    peer?.close()
    const ended = await server?.stop()
    folder.remove()
    expect(ended?.code, ended?.stderr).toBe(0)
  })

  describe.each(transports)('over %s', (transport) => {
    const tls = () => ({ authorities: [certificate.certificate] })
    const address = () => TransportAddress.of('127.0.0.1', ports[transport])

    it('asks for its address', async () => {
      const result = await exchange({ transport, server: address(), serverName: 'localhost', tls: tls() })
      expect(result.type === 'answered' && result.mapped?.port).toBe(
        result.type === 'answered' && result.local.port,
      )
      expect(result.type === 'answered' && result.tls?.alpn).toBe(
        (transport === 'tls' && 'stun.nat-discovery') || undefined,
      )
    })

    it('exchanges data with a peer by indications and by a channel, and closes clean', async () => {
      const client = new RealClient({
        transport,
        server: { address: address(), name: 'localhost' },
        credentials: { username: 'alice', password: 'wonder' },
        tls: tls(),
      })
      client.connection.permit(peer.address)
      await client.until('permission-installed')
      await client.echo(peer.address, 'by indication')
      client.connection.bindChannel(peer.address)
      await client.until('channel-bound')
      for (let length = 1; length <= 9; length++) await client.echo(peer.address, 'x'.repeat(length))
      await client.echo(peer.address, 'y'.repeat(1200))
      await client.close()
      expect(client.events.map(({ type }) => type)).toEqual([
        'allocated',
        'permission-installed',
        'channel-bound',
        'closed',
      ])
    })

    it('finds it by name', async () => {
      const uri = parseServerUri(
        transport === 'tls'
          ? `turns:localhost:${ports.tls}`
          : `turn:localhost:${ports[transport]}?transport=${transport}`,
      )
      const events: string[] = []
      await new Promise<void>((resolve) => {
        const connection = dialTurn(
          host,
          { uri, credentials: { username: 'alice', password: 'wonder' }, tls: tls() },
          {
            event: (event) => {
              events.push(event.type)
              if (event.type === 'allocated') connection.close()
              else resolve()
            },
            data: () => {},
          },
        )
      })
      expect(events).toEqual(['allocated', 'closed'])
    })
  })
})

/** Our TURN client against coturn's server, over UDP, TCP and TLS: what the suite of turn-behaviours has not. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import { sharedSecretPassword } from '../../src/turn/shared-secret.ts'
import { type Coturn, startCoturn } from '../support/coturn-server.ts'
import { missingPrograms } from '../support/programs.ts'
import { type EchoPeer, exchange, RealClient, startEchoPeer } from '../support/real-client.ts'

const missing = missingPrograms(
  "our client with coturn's server",
  ['turnserver', 'openssl'],
  'apt-get install coturn',
)

const transports = ['udp', 'tcp', 'tls'] as const
type Transport = (typeof transports)[number]

describe.skipIf(missing.length > 0)('the client with coturn', () => {
  let coturn: Coturn
  let peer: EchoPeer

  beforeAll(async () => {
    coturn = await startCoturn(['--mobility'])
    peer = await startEchoPeer()
  })

  afterAll(async () => {
    peer?.close()
    await coturn?.stop()
  })

  function optionsFor(transport: Transport, server = coturn): TurnConnectionOptions {
    const port = transport === 'tls' ? server.tlsPort : server.port
    return {
      transport,
      server: { address: TransportAddress.of('127.0.0.1', port), name: 'turn.example.org' },
      credentials: { username: 'alice', password: 'wonder' },
      tls: { authorities: [server.certificate.certificate] },
    }
  }

  describe.each(transports)('over %s', (transport) => {
    it('asks for its address', async () => {
      const { server, tls } = optionsFor(transport)
      const result = await exchange({ transport, server: server.address, serverName: server.name, tls })
      expect(result).toMatchObject({ type: 'answered', mapped: expect.any(TransportAddress) })
      if (result.type === 'answered') expect(result.mapped?.port).toBe(result.local.port)
    })

    it('exchanges data with a peer by indications and by a channel, and closes clean', async () => {
      const client = new RealClient(optionsFor(transport))
      await client.until('allocated')
      client.connection.permit(peer.address)
      await client.until('permission-installed')
      await client.echo(peer.address, 'by indication')
      client.connection.bindChannel(peer.address)
      await client.until('channel-bound')
      for (let length = 1; length <= 9; length++) await client.echo(peer.address, 'x'.repeat(length))
      await client.echo(peer.address, 'y'.repeat(1200))
      const { local } = client.connection
      await client.close()
      await coturn.child.waitFor(new RegExp(`closed .*remote 127\\.0\\.0\\.1:${local?.port}, reason`))
    })
  })

  it('does not trust a certificate that nobody has signed, or that is for another name', async () => {
    const { tls: _, ...options } = optionsFor('tls')
    const distrustful = new RealClient(options)
    expect(await distrustful.until('failed')).toMatchObject({ failure: { type: 'transport-failed' } })
    const { server } = options
    const elsewhere = new RealClient({
      ...optionsFor('tls'),
      server: { ...server, name: 'other.example.org' },
    })
    expect(await elsewhere.until('failed')).toMatchObject({ failure: { type: 'transport-failed' } })
  })

  it('uses credentials of the TURN REST API', async () => {
    const rest = await startCoturn(['--use-auth-secret', '--static-auth-secret=north'])
    const username = `${Math.floor(Date.now() / 1000) + 3600}:alice`
    const password = sharedSecretPassword(username, new TextEncoder().encode('north'))
    const client = new RealClient({ ...optionsFor('udp', rest), credentials: { username, password } })
    await client.until('allocated')
    await client.close()
    await rest.stop()
  })
})

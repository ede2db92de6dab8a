/** Our TURN client against coturn's server, over UDP, TCP and TLS. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { TurnConnectionOptions } from '../../src/net/turn-connection.ts'
import { sharedSecretPassword } from '../../src/turn/shared-secret.ts'
import { type Coturn, startCoturn } from '../support/coturn-server.ts'
import { hasLoopback6, missingPrograms } from '../support/programs.ts'
import { type EchoPeer, exchange, RealClient, startEchoPeer } from '../support/real-client.ts'

const missing = missingPrograms(
  "our client with coturn's server",
  ['turnserver', 'openssl'],
  'apt-get install coturn',
)

const has6 = hasLoopback6("our client with coturn's server")

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

    it('is refused with 401 when the password is wrong', async () => {
      const credentials = { username: 'alice', password: 'wrong' }
      const client = new RealClient({ ...optionsFor(transport), credentials })
      expect(await client.until('failed')).toMatchObject({ failure: { type: 'rejected', code: 401 } })
    })

    it('has one refused peer fail alone', async () => {
      const client = new RealClient(optionsFor(transport))
      const multicast = TransportAddress.of('0.0.0.1', 5000)
      client.connection.permit(peer.address)
      client.connection.permit(multicast)
      await client.until('permission-installed')
      expect(await client.until('permission-refused')).toMatchObject({
        peer: multicast,
        failure: { code: 403 },
      })
      await client.echo(peer.address, 'still there')
      await client.close()
    })
  })

  it.skipIf(!has6)('takes an IPv6 allocation over IPv4', async () => {
    const peer6 = await startEchoPeer('::1')
    const client = new RealClient({ ...optionsFor('udp'), family: 'IPv6' })
    client.connection.permit(peer6.address)
    await client.until('permission-installed')
    expect(client.relayed.family).toBe('IPv6')
    await client.echo(peer6.address, 'over IPv6')
    await client.close()
    peer6.close()
  })

  it.skipIf(!has6)('takes an allocation of both families', async () => {
    const peer6 = await startEchoPeer('::1')
    const client = new RealClient({ ...optionsFor('udp'), family: 'both' })
    client.connection.permit(peer.address)
    client.connection.permit(peer6.address)
    await client.until('permission-installed', 2)
    await client.echo(peer.address, 'over IPv4')
    await client.echo(peer6.address, 'over IPv6')
    await client.close()
    peer6.close()
  })

  it('reserves the next port, and takes it', async () => {
    const first = new RealClient({ ...optionsFor('udp'), evenPort: { reserveNext: true } })
    await first.until('allocated')
    const token = first.connection.allocation?.reservationToken
    expect(token).toHaveLength(8)
    const second = new RealClient({ ...optionsFor('udp'), reservationToken: token })
    await second.until('allocated')
    expect(second.relayed.port).toBe(first.relayed.port + 1)
    await Promise.all([first.close(), second.close()])
  })

  it('moves its allocation to another port of ours', async () => {
    const client = new RealClient({ ...optionsFor('udp'), mobility: true })
    await client.until('allocated')
    client.connection.bindChannel(peer.address)
    await client.until('channel-bound')
    const { relayed } = client
    const before = client.connection.local
    client.connection.move()
    await client.until('moved')
    expect(client.relayed).toEqual(relayed)
    expect(client.connection.local).not.toEqual(before)
    await client.echo(peer.address, 'from elsewhere')
    await client.close()
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

  it('shows a nonce that is not stale when coturn wants one', async () => {
    const strict = await startCoturn(['--stale-nonce=1'])
    const client = new RealClient(optionsFor('udp', strict))
    await client.until('allocated')
    await new Promise((resolve) => setTimeout(resolve, 2500))
    client.connection.permit(peer.address)
    await client.until('permission-installed')
    await client.echo(peer.address, 'fresh')
    await client.close()
    await strict.stop()
  })

  it('follows coturn to an alternate server', async () => {
    const first = await startCoturn([`--alternate-server=127.0.0.1:${coturn.port}`])
    const client = new RealClient(optionsFor('udp', first))
    expect(await client.until('allocated')).toMatchObject({
      allocation: { server: TransportAddress.of('127.0.0.1', coturn.port) },
    })
    await client.close()
    await first.stop()
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

/** Networks that let no UDP out, or nothing but TCP to port 443: TURN over TCP and TLS on one side rescues both. */

import { afterAll, describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { IceServer } from '../../src/net/ice/options.ts'
import type { OutboundPolicy } from '../../src/sim/middlebox.ts'
import { CertificateFolder } from '../support/certificates.ts'
import { dataFaults, leftovers } from '../support/ice-invariants.ts'
import { connectGathered, connectTrickling, type IceSide, IceWorld } from '../support/ice-world.ts'

const credentials = { username: 'alice', credential: 'wonder' }
const servers: readonly IceServer[] = [
  { urls: 'stun:turn.example' },
  {
    urls: ['turn:turn.example?transport=udp', 'turn:turn.example?transport=tcp', 'turns:turn.example:443'],
    ...credentials,
  },
]

const folder = new CertificateFolder()
const certificate = folder.make('turn.example')
const tls = { authorities: [certificate.certificate] }
afterAll(() => folder.remove())

async function world() {
  // The certificate is a real one, made just now.
  const world = new IceWorld({ epochSeconds: Math.floor(Date.now() / 1000) })
  const listen = (transport: 'udp' | 'tcp' | 'tls', port: number) => ({
    transport,
    address: TransportAddress.of('0.0.0.0', port),
    isOptional: false,
  })
  await world.startServer({
    listen: [listen('udp', 3478), listen('tcp', 3478), listen('tls', 443)],
    tlsCertificates: [certificate],
  })
  return world
}

function relaysOf(side: IceSide): string[] {
  return side.all('local-candidate').flatMap(({ event }) => event.local.relayProtocol ?? [])
}

describe.each([
  ['udp-dropped', 'udp-dropped', ['tcp', 'tls']],
  ['udp-rejected', 'udp-rejected', ['tcp', 'tls']],
  ['tcp-443-only', 'tcp-443-only', ['tls']],
  ['udp-dropped', 'open', ['tcp', 'tls']],
  ['tcp-443-only', 'open', ['tls']],
  ['open', 'tcp-443-only', ['udp', 'tcp', 'tls']],
] as const)('%s and %s', (x, y, relays) => {
  const open = async () => {
    const w = await world()
    const side = (role: 'controlling' | 'controlled', outbound: OutboundPolicy) =>
      w.side(role, w.internet.nat({ outbound }).host(), { servers, tls })
    return { w, a: side('controlling', x), b: side('controlled', y) }
  }

  test('connect through the relay that can be reached', async () => {
    const { w, a, b } = await open()
    connectGathered(a, b)
    w.internet.run({ for: 3000 })
    expect(relaysOf(a).sort()).toEqual([...relays].sort())
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(a.winner).toMatch(/R/)
    const cell = { world: w, sides: [a, b] as const }
    expect(dataFaults(cell)).toEqual([])
    expect(leftovers(cell)).toEqual([])
  })

  test('trickled, without waiting for what will never answer', async () => {
    const { w, a, b } = await open()
    const start = w.internet.now
    connectTrickling(a, b, 20)
    w.internet.run({ until: () => a.firstPathAt !== undefined && b.firstPathAt !== undefined, for: 10_000 })
    // DNS, TCP and TLS handshakes, two requests, and the checks: fourteen round trips at the most, not five seconds.
    expect(w.internet.now - start).toBeLessThan(600)
  })
})

/** `probeNat` over IPv4 and IPv6, UDP and TCP, all in one run. */

import { describe, expect, it } from 'vitest'
import { probeNat } from '../../src/probe/nat.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import { nats, placeOf } from '../support/probe-world.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const families = ['IPv4', 'IPv6'] as const

/** A server with two addresses of each family, asked by a client somewhere. */
async function probe(clientOf: (internet: Internet) => SimHost): Promise<ProbeReport> {
  const internet = new Internet({ seed: 7, families: [...families] })
  const host = internet.host()
  const second = host.addInterface(internet).addresses
  const first = families.map((family) => host.address(3478, family))
  const listen = first.flatMap((address) =>
    (['udp', 'tcp'] as const).map((transport) => ({ transport, address, isOptional: false })),
  )
  const alternateAddresses = families.map((one) => second.find(({ family }) => family === one)!.withPort(0))
  const users = [{ name: 'user', password: 'pass' }]
  await internet.until(startServer({ ...defaultConfig, users, listen, alternateAddresses }, host, quiet))
  const servers = first.map((address) => parseServerUri(`stun:${address}`))
  return internet.until(probeNat(clientOf(internet), { servers }))
}

describe('all families', () => {
  it('are told where nothing is in between but a firewall', async () => {
    const { families: found, durationMs, isPartial } = await probe((internet) => internet.firewall().host())
    const udp = {
      isDirect: { value: true },
      nat: { mapping: { value: 'EIM' }, filtering: { value: 'APDF' } },
    }
    const tcp = { reachable: { value: true }, isDirect: { value: true } }
    expect(found, JSON.stringify(found, null, 1)).toMatchObject({
      udp4: udp,
      udp6: udp,
      tcp4: tcp,
      tcp6: tcp,
    })
    expect(found.udp6!.mapped[0]).toBe(found.udp6!.local)
    expect([isPartial, durationMs <= 5000]).toEqual([false, true])
  })

  it.each(nats)('of a home with IPv4 alone behind $name have its mapping over UDP and TCP', async (kind) => {
    const { families: found } = await probe((internet) => placeOf(internet, kind).host())
    const { udp4, udp6, tcp4 } = found
    expect(udp4?.nat, JSON.stringify(found, null, 1)).toMatchObject({
      mapping: { value: kind.mapping },
      filtering: { value: kind.filtering },
    })
    expect(tcp4).toMatchObject({ reachable: { value: true }, isDirect: { value: false } })
    expect(tcp4?.nat?.mapping.value).toBe(kind.mapping)
    expect(udp6?.nat ?? null).toBe(null)
  })
})

/** `probeNat` against the simulated truth: it says what is so, or that it does not know, and never a wrong word. */

import { describe, expect, it } from 'vitest'
import { probeNat } from '../../src/probe/nat.ts'
import { Internet } from '../../src/sim/internet.ts'
import { parseServerUri } from '../../src/stun/uri.ts'
import {
  kinds,
  nats,
  probeWorld,
  type ServerKind,
  startServers,
  type WorldOptions,
  wrongWords,
} from '../support/probe-world.ts'

const seed = 7

async function check(options: WorldOptions) {
  const world = await probeWorld(options)
  expect(wrongWords(world, options), JSON.stringify(world.report, null, 1)).toEqual([])
  expect(world.report.durationMs).toBeLessThanOrEqual(options.probe?.hairpin === true ? 12_000 : 5000)
  return world.report.families.udp4!
}

describe('with a server that has RFC 5780', () => {
  it.each(kinds)('$name is told by its name', async (kind) => {
    const { nat, isDirect } = await check({ seed, kind })
    expect(isDirect.value).toBe(kind.isDirect)
    expect(nat?.mapping).toMatchObject({ value: kind.mapping, reason: null, vantage: 'rfc5780' })
    expect(nat?.filtering, JSON.stringify(nat?.filtering)).toMatchObject({
      value: kind.filtering,
      reason: null,
    })
    expect(nat?.alg.value).toBe(false)
    expect(nat?.fragments.value).toBe(true)
  })

  it.each(kinds)('$name is told by its name with 20 % loss', async (kind) => {
    const { nat } = await check({ seed, kind, loss: 0.2 })
    expect(nat?.mapping.value).toBe(kind.mapping)
  })
})

describe('with two servers of one address each that are partners', () => {
  it.each(kinds)('$name is told by its name', async (kind) => {
    const { nat } = await check({ seed, kind, server: 'partners' })
    expect(nat?.mapping).toMatchObject({ value: kind.mapping, reason: null, vantage: 'rfc5780' })
    expect(nat?.filtering).toMatchObject({ value: kind.filtering, reason: null })
  })

  it.each(kinds)('$name is told by its name with 20 % loss', async (kind) => {
    const { nat } = await check({ seed, kind, server: 'partners', loss: 0.2 })
    expect(nat?.mapping.value).toBe(kind.mapping)
  })
})

describe('with other servers', () => {
  const inconclusive: readonly ServerKind[] = [
    'ignores-change-request',
    'dead-alternate',
    'one-address',
    'two-plain',
    'two-ports',
  ]
  const cells = inconclusive.flatMap((server) => kinds.map((kind) => ({ server, kind, name: kind.name })))

  it.each(cells)('$server: of $name nothing wrong is said', async ({ server, kind }) => {
    const { nat } = await check({ seed, kind, server })
    if (nat?.filtering.value === null) expect(nat.filtering.reason).toMatch(/\w/)
    // Filtering that a broken server seems to show is never believed; what has arrived is.
    if (server !== 'dead-alternate') expect(nat?.filtering.value).toBe(null)
  })

  it.each(nats)('two plain servers tell whether the mapping of $name varies', async (kind) => {
    const { nat } = await check({ seed, kind, server: 'two-plain' })
    expect(nat?.mapping.possible).toEqual(kind.mapping === 'EIM' ? ['EIM'] : ['ADM', 'APDM'])
  })

  it.each(nats)('two ports of one server tell whether the mapping of $name varies by port', async (kind) => {
    const { nat } = await check({ seed, kind, server: 'two-ports' })
    expect(nat?.mapping.possible).toEqual(kind.mapping === 'APDM' ? ['APDM'] : ['EIM', 'ADM'])
  })

  it.each(kinds)('a relay as the second vantage point tells all of $name', async (kind) => {
    const { nat } = await check({ seed, kind, server: 'turn' })
    expect(nat?.mapping).toMatchObject({ value: kind.mapping, vantage: 'turn' })
    expect(nat?.filtering.value, JSON.stringify(nat?.filtering)).toBe(kind.filtering)
  })
})

describe('NATs with something special', () => {
  it.each(nats)('$name with an ALG', async (kind) => {
    const { nat } = await check({ seed, kind, nat: { alg: true } })
    expect(nat?.alg.value).toBe(true)
  })

  it.each(nats)('$name with three public addresses', async (kind) => {
    await check({ seed, kind, nat: { addresses: 3, pooling: 'arbitrary' } })
  })

  it.each(nats)('$name that preserves ports', async (kind) => {
    const { nat } = await check({ seed, kind, nat: { ports: 'preserved' } })
    expect(nat?.portPreserved.value).toBe(true)
  })

  it.each(nats)('$name that gives ports in sequence', async (kind) => {
    const { nat } = await check({ seed, kind, nat: { ports: 'sequential' } })
    expect(nat?.allocation.value).toBe('sequential')
  })

  it.each(nats)('$name that keeps parity', async (kind) => {
    const { nat } = await check({ seed, kind, nat: { parity: true } })
    expect(nat?.parity.value).toBe(true)
  })

  it.each(nats.filter(({ mapping, filtering }) => mapping === 'EIM' && filtering !== 'EIF'))(
    '$name whose mapping an unasked packet takes away',
    async (kind) => {
      const { nat } = await check({ seed, kind, nat: { poisonedByInbound: true } })
      expect(nat?.inboundPoisonsMapping.value).toBe(true)
    },
  )

  it.each([50, 150, 300, 600, 900, 1400, 2000, 2600])(
    'a NAT that forgets all after %d ms',
    async (rebindAtMs) => {
      for (const kind of nats) await check({ seed, kind, rebindAtMs })
    },
  )
})

describe('hairpinning', () => {
  it.each(nats)('$name without it', async (kind) => {
    const { nat } = await check({ seed, kind, probe: { hairpin: true } })
    expect(nat?.hairpin.value).toBe(kind.mapping === 'EIM' ? false : null)
  })

  it.each(nats)('$name with it', async (kind) => {
    const { nat } = await check({ seed, kind, nat: { hairpin: 'external-source' }, probe: { hairpin: true } })
    if (kind.mapping !== 'EIM') return
    expect(nat?.hairpin).toMatchObject({ value: true, source: 'external' })
    expect(nat?.layers.value).toBe(1)
  })

  it('by the inner address', async () => {
    const nat = { hairpin: 'internal-source' } as const
    const found = await check({ seed, kind: nats[0]!, nat, probe: { hairpin: true } })
    expect(found.nat?.hairpin).toMatchObject({ value: true, source: 'internal' })
  })
})

describe('where UDP does not work', () => {
  it.each(['udp-dropped', 'udp-rejected', 'tcp-443-only'] as const)('%s is said', async (outbound) => {
    const { report } = await probeWorld({ seed, kind: nats[2]!, nat: { outbound } })
    expect(report.families.udp4?.reachable).toEqual({ value: false, reason: null })
    expect(report.families.udp4?.nat).toBe(null)
  })

  const servers: readonly ServerKind[] = [
    ...['partners', 'ignores-change-request', 'dead-alternate', 'one-address'],
    ...['two-plain', 'two-ports', 'turn'],
  ] as ServerKind[]
  it.each(servers)('nothing is made up with %s', async (server) => {
    await check({ seed, kind: nats[2]!, server, nat: { outbound: 'udp-dropped' } })
  })
})

it('no more than ten requests are begun in a second', async () => {
  const internet = new Internet({ seed })
  const { stun } = await startServers(internet, 'rfc5780')
  // Nothing is filtered or lost here: each request is answered at its first try.
  const client = internet.host()
  const from = client.address(0)
  const sentAt: number[] = []
  internet.watch(({ at, fate, packet }) => {
    if (fate === 'sent' && packet.source.d === from.d) sentAt.push(at)
  })
  const servers = stun.map((address) => parseServerUri(`stun:${address}`))
  await internet.until(probeNat(client, { servers, families: ['udp4'] }))
  expect(sentAt.length).toBeGreaterThan(12)
  for (const start of sentAt) {
    expect(sentAt.filter((at) => at >= start && at < start + 1000).length).toBeLessThanOrEqual(10)
  }
})

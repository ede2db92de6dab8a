/** Lifetimes against the simulated truth. */

import { expect, it } from 'vitest'
import { lifetimeScreen } from '../../src/cli/lifetime.ts'
import { render } from '../../src/cli/screen/render.ts'
import { probeLifetime } from '../../src/probe/lifetime.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { kinds, nats, placeOf, type ServerKind, startServers } from '../support/probe-world.ts'

const seed = 3

async function measure(kind: (typeof kinds)[number], nat: NatPlaceOptions, server: ServerKind = 'rfc5780') {
  const internet = new Internet({ seed })
  const { stun } = await startServers(internet, server)
  const client = placeOf(internet, kind, nat).host()
  return internet.until(probeLifetime(client, { server: stun[0]! }))
}

it.each(nats)('$name: a single exchange and a stream live as long as they do', async (kind) => {
  const { single, stream, keepaliveS } = await measure(kind, {
    singleExchangeLifetimeMs: 30_500,
    lifetimeMs: 125_000,
  })
  expect(single).toMatchObject({ aliveS: 30, deadS: 45 })
  expect(stream).toMatchObject({ aliveS: 120, deadS: 180 })
  expect(keepaliveS).toBe(24)
})

it('20 % loss does not shorten them', async () => {
  const nat = { singleExchangeLifetimeMs: 75_000, lifetimeMs: 75_000, link: { delayMs: 10, loss: 0.2 } }
  const { single, stream } = await measure(nats[2]!, nat)
  expect(single).toMatchObject({ aliveS: 60, deadS: 90 })
  expect(stream).toMatchObject({ aliveS: 60, deadS: 90 })
})

it('no end is claimed of what outlives the ladder', async () => {
  const { single, keepaliveS } = await measure(kinds[9]!, {})
  expect(single).toMatchObject({ aliveS: 300, deadS: null })
  expect(keepaliveS).toBe(240)
})

it('a server without RESPONSE-PORT leaves it open, and says so', async () => {
  const { single, keepaliveS } = await measure(nats[0]!, {}, 'one-address')
  expect(single).toMatchObject({
    aliveS: null,
    deadS: null,
    reason: 'the server refuses RESPONSE-PORT (420)',
  })
  expect(keepaliveS).toBe(null)
})

it('is one screen', async () => {
  const report = await measure(nats[2]!, { singleExchangeLifetimeMs: 30_500, lifetimeMs: 125_000 })
  const text = render(lifetimeScreen(report), {
    columns: 80,
    hasColor: false,
    hasUnicode: true,
    isPlain: false,
  })
  await expect(text).toMatchFileSnapshot('golden/lifetime.txt')
})

/** IPv6 on both sides: a stateful firewall is all that is between, and that always gives way. */

import { describe, expect, test } from 'vitest'
import { behaviourOf, Cell, hostBehind, type Kind, kinds } from '../support/ice-cell.ts'
import { brokenInvariants } from '../support/ice-invariants.ts'

const roundTripMs = 40
const internet = { families: ['IPv4', 'IPv6'] } as const

describe('beside any two NATs for IPv4, IPv6 wins', () => {
  test.each(kinds.flatMap((x) => kinds.map((y) => ({ x, y }))))('$x and $y', async ({ x, y }) => {
    const cell = await Cell.run({
      internet,
      a: (net) => hostBehind(net, x, { IPv6: 'filtered' }),
      b: (net) => hostBehind(net, y, { IPv6: 'filtered' }),
    })
    expect(cell.winner).toBe('HH')
    expect(cell.a.selected?.local.address.family).toBe('IPv6')
    expect(await brokenInvariants(cell)).toEqual([])
    const { first, nominated } = cell.times(roundTripMs)
    expect(first).toBeLessThanOrEqual(1 + 1 / roundTripMs)
    expect(nominated).toBeLessThanOrEqual(2 + 1 / roundTripMs)
  })
})

const places: readonly Kind[] = ['OPEN', 'EE', 'EA', 'EP']

describe('with nothing but IPv6, behind firewalls of every filtering', () => {
  test.each(places.flatMap((x) => places.map((y) => ({ x, y }))))('$x and $y', async ({ x, y }) => {
    const behind = (kind: Kind) => (net: Parameters<typeof hostBehind>[0]) => {
      const place = kind === 'OPEN' ? net : net.firewall({ filtering: behaviourOf(kind).filtering })
      return place.host({ families: ['IPv6'] })
    }
    const cell = await Cell.run({ internet, a: behind(x), b: behind(y) })
    expect(cell.winner).toBe('HH')
    expect(await brokenInvariants(cell)).toEqual([])
    expect(cell.times(roundTripMs).nominated).toBeLessThanOrEqual(2 + 1 / roundTripMs)
  })
})

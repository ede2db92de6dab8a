/** One side has IPv6 only, and a NAT64 of each kind (RFC 6146) between it and the IPv4 of the other side. */

import { describe, expect, test } from 'vitest'
import type { Internet } from '../../src/sim/internet.ts'
import { behaviourOf, Cell, hostBehind, type Kind, kinds } from '../support/ice-cell.ts'
import { brokenInvariants } from '../support/ice-invariants.ts'

const nats = kinds.filter((kind) => kind !== 'OPEN' && kind !== 'FW')

/**
 * What a NAT of that kind gives is what a NAT64 gives. The host's own IPv6 address is of no use to the other side, so a
 * public host sees a reflexive address too. `--`: a relay.
 */
const expected: Readonly<Record<(typeof nats)[number], string>> = {
  //    OPEN FW EE EA EP AE AA AP PE PA PP
  EE: 'SH SH SS SS SS SP SP SP SP SP SP',
  EA: 'SH SH SS SS SS SP SP SP SP SP SP',
  EP: 'SH SH SS SS SS -- -- -- -- -- --',
  AE: 'PH -- PS PS -- PP PP -- PP PP --',
  AA: 'PH -- PS PS -- PP -- -- PP -- --',
  AP: 'PH -- PS PS -- -- -- -- -- -- --',
  PE: 'PH -- PS PS -- PP PP -- -- -- --',
  PA: 'PH -- PS PS -- PP -- -- -- -- --',
  PP: 'PH -- PS PS -- -- -- -- -- -- --',
}

const cells = nats.flatMap((x) => kinds.map((y) => ({ x, y })))

describe.each([false, true])('with a relay: %s', (relay) => {
  test.each(cells)('$x and $y', async ({ x, y }) => {
    const cell = await Cell.run({
      internet: { families: ['IPv4', 'IPv6'] },
      side: { relay },
      a: (internet) => internet.nat64({ ...behaviourOf(x), ports: 'random' }).host(),
      b: (internet) => ipv4Behind(internet, y),
    })
    const direct = expected[x].split(' ')[kinds.indexOf(y)]!
    if (direct !== '--') expect(cell.winner).toBe(direct)
    else expect(cell.winner).toMatch(relay ? /^(?:.R|R.)$/ : /^none$/)
    expect(await brokenInvariants(cell)).toEqual([])
  })
})

test('two hosts of IPv6-only networks meet over IPv6', async () => {
  const cell = await Cell.run({
    internet: { families: ['IPv4', 'IPv6'] },
    a: (internet) => internet.nat64().host(),
    b: (internet) => internet.nat64().host(),
  })
  expect(cell.winner).toBe('HH')
  expect(await brokenInvariants(cell)).toEqual([])
})

function ipv4Behind(internet: Internet, kind: Kind) {
  if (kind === 'OPEN') return internet.host({ families: ['IPv4'] })
  if (kind === 'FW') return internet.firewall().host({ families: ['IPv4'] })
  return hostBehind(internet, kind)
}

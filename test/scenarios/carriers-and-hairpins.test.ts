/** Homes behind a carrier's NAT: the chain is as good as its worst link; and within one carrier only hairpinning helps. */

import { describe, expect, test } from 'vitest'
import type { SimHost } from '../../src/sim/host.ts'
import type { Internet } from '../../src/sim/internet.ts'
import type { NatPlaceOptions, Place } from '../../src/sim/places.ts'
import { behaviourOf, Cell, type Kind } from '../support/ice-cell.ts'
import { brokenInvariants } from '../support/ice-invariants.ts'

const kindsOfChain: readonly Kind[] = ['EE', 'EA', 'EP', 'PP']
const combinations = kindsOfChain.flatMap((home) => kindsOfChain.map((carrier) => ({ home, carrier })))

function carrierNat(internet: Internet, kind: Kind, options: NatPlaceOptions = {}): Place {
  return internet.nat({ inside: '100.64.0.0/10', ...behaviourOf(kind), ports: 'random', ...options })
}

function homeIn(place: Place, kind: Kind): SimHost {
  return place.nat({ ...behaviourOf(kind), ports: 'random' }).host()
}

/** Makes the place once on each internet. */
function onePlace(make: (internet: Internet) => Place): (internet: Internet) => Place {
  const places = new WeakMap<Internet, Place>()
  return (internet) => {
    const place = places.get(internet) ?? make(internet)
    places.set(internet, place)
    return place
  }
}

/** The most dependent mapping and the strictest filtering of both. */
function chainOf(home: Kind, carrier: Kind): Kind {
  const order = 'EAP'
  const worse = (x: string, y: string) => (order.indexOf(x) > order.indexOf(y) ? x : y)
  return `${worse(home[0]!, carrier[0]!)}${worse(home[1]!, carrier[1]!)}` as Kind
}

describe('different carriers, against a home that lets in whom it has sent to, and against one that asks for the port too', () => {
  test.each(combinations)('home $home behind carrier $carrier', async ({ home, carrier }) => {
    const isSymmetric = chainOf(home, carrier)[0] === 'P'
    for (const [other, winner] of [
      ['EA', isSymmetric ? 'PS' : 'SS'],
      ['EP', isSymmetric ? 'none' : 'SS'],
    ] as const) {
      const cell = await Cell.run({
        a: (internet) => homeIn(carrierNat(internet, carrier), home),
        b: (internet) => homeIn(carrierNat(internet, 'EE'), other),
      })
      expect(cell.winner).toBe(winner)
      expect(await brokenInvariants(cell)).toEqual([])
    }
  })
})

describe('two homes of one carrier', () => {
  const both = (home: Kind, carrier: Kind, options: NatPlaceOptions, relay: boolean) => {
    const shared = onePlace((internet) => carrierNat(internet, carrier, options))
    const inside = (internet: Internet) => homeIn(shared(internet), home)
    return Cell.run({ a: inside, b: inside, side: { relay } })
  }

  test.each(combinations)(
    'no hairpinning: $home behind $carrier needs a relay',
    async ({ home, carrier }) => {
      const direct = await both(home, carrier, { hairpin: 'none' }, false)
      expect(direct.winner).toBe('none')
      expect(await brokenInvariants(direct)).toEqual([])
      const cell = await both(home, carrier, { hairpin: 'none' }, true)
      expect(cell.winner).toMatch(/^(?:.R|R.)$/)
      expect(await brokenInvariants(cell)).toEqual([])
    },
  )

  test.each(combinations)(
    'hairpinning with the external source: $home behind $carrier',
    async ({ home, carrier }) => {
      const cell = await both(home, carrier, { hairpin: 'external-source' }, false)
      const isSymmetric = home[0] === 'P' || carrier[0] === 'P'
      expect(cell.winner).toBe(isSymmetric ? 'none' : 'SS')
      expect(await brokenInvariants(cell)).toEqual([])
    },
  )
})

describe('two hosts of one home', () => {
  test.each(
    (['EE', 'EA', 'EP', 'PP'] as const).flatMap((kind) =>
      (['none', 'internal-source', 'external-source'] as const).map((hairpin) => ({ kind, hairpin })),
    ),
  )('behind $kind, hairpin $hairpin: by their own addresses', async ({ kind, hairpin }) => {
    const home = onePlace((internet) => internet.nat({ ...behaviourOf(kind), ports: 'random', hairpin }))
    const inside = (internet: Internet) => home(internet).host()
    const cell = await Cell.run({ a: inside, b: inside, side: { relay: true } })
    expect(cell.winner).toBe('HH')
    // It never was any other way.
    for (const side of cell.sides) {
      expect(side.all('selected-pair').map(({ event }) => event.pair.local.type)).toEqual(['host'])
    }
    expect(await brokenInvariants(cell)).toEqual([])
  })
})

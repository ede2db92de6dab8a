/** RFC 4787 §6: two hosts behind one NAT that know each other's external address only. */

import { describe, expect, test } from 'vitest'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { behindNat } from '../support/probe-nat.ts'

/** X sends to Y's external address, to which Y has sent before if `isPunched`. */
function hairpin(options: NatPlaceOptions, isPunched = true) {
  const { internet, nat, open, mapped, external } = behindNat(options)
  const [x, y] = [open(5000), open(6000, nat.host())]
  const [xMapped, yMapped] = [mapped(x), mapped(y)]
  if (isPunched) y.send('punch', xMapped)
  internet.run()
  x.send('hello', yMapped)
  internet.run()
  return { x, y, external }
}

test('none: what is sent to the own external address is lost', () => {
  expect(hairpin({ hairpin: 'none', filtering: 'endpoint-independent' }).y.texts).toEqual([])
})

test('external source: the packet comes from where it would come from outside', () => {
  const { y, external } = hairpin({ hairpin: 'external-source', filtering: 'endpoint-independent' })
  expect(y.arrived).toMatchObject([{ from: `${external(5000)}`, text: 'hello' }])
})

test('internal source: the packet comes from the private address', () => {
  const { x, y } = hairpin({ hairpin: 'internal-source', filtering: 'endpoint-independent' })
  expect(y.arrived).toMatchObject([{ from: `${x.local}`, text: 'hello' }])
})

describe('the filter holds for hairpinned packets too', () => {
  test.each([
    ['endpoint-independent', false, ['hello']],
    ['address-dependent', false, []],
    ['address-dependent', true, ['hello']],
    ['address-and-port-dependent', false, []],
    ['address-and-port-dependent', true, ['hello']],
  ] as const)('%s, punched before: %s', (filtering, isPunched, texts) => {
    expect(hairpin({ hairpin: 'external-source', filtering }, isPunched).y.texts).toEqual(texts)
  })
})

test('an endpoint-dependent mapping shows the other host a port that it was not told of', () => {
  const { y, external } = hairpin({
    hairpin: 'external-source',
    filtering: 'endpoint-independent',
    mapping: 'address-and-port-dependent',
  })
  expect(y.texts).toEqual(['hello'])
  expect(y.lastFrom).not.toBe(`${external(5000)}`)
})

/** RFC 4787 §4.1 and §5, observed as a host on the other side observes them. */

import { describe, expect, test } from 'vitest'
import type { Dependency } from '../../src/sim/filter.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

const dependencies: readonly Dependency[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]
const cases = dependencies.flatMap((mapping) => dependencies.map((filtering) => ({ mapping, filtering })))

/** A host behind the NAT, and two outside with two ports each. */
function topology(mapping: Dependency, filtering: Dependency) {
  const internet = new Internet({ seed: 1 })
  const nat = internet.nat({ mapping, filtering })
  const inner = new ProbeSocket(nat.host(), { port: 4000 })
  const [x, y] = [internet.host(), internet.host()]
  const outside = {
    x1: new ProbeSocket(x, { port: 1111 }),
    x2: new ProbeSocket(x, { port: 2222 }),
    y1: new ProbeSocket(y, { port: 1111 }),
  }
  internet.run()
  return { internet, nat, inner, ...outside }
}

describe.each(cases)('$mapping mapping, $filtering filtering', ({ mapping, filtering }) => {
  test('external ports differ as the mapping says', () => {
    const { internet, inner, x1, x2, y1 } = topology(mapping, filtering)
    for (const socket of [x1, x2, y1]) inner.send('hello', socket.local!)
    internet.run()
    const seen = [x1, x2, y1].map(({ lastFrom }) => lastFrom)
    const isSame = [seen[0] === seen[1], seen[0] === seen[2]]
    expect(isSame).toEqual(
      {
        'endpoint-independent': [true, true],
        'address-dependent': [true, false],
        'address-and-port-dependent': [false, false],
      }[mapping],
    )
  })

  test('packets from outside come in as the filtering says', () => {
    const { internet, inner, x1, x2, y1 } = topology(mapping, filtering)
    inner.send('hello', x1.local!)
    internet.run()
    for (const [name, socket] of Object.entries({ x1, x2, y1 })) socket.send(name, x1.lastFrom)
    internet.run()
    expect(inner.texts).toEqual(
      {
        'endpoint-independent': ['x1', 'x2', 'y1'],
        'address-dependent': ['x1', 'x2'],
        'address-and-port-dependent': ['x1'],
      }[filtering],
    )
  })

  test('nothing comes in where nothing has gone out', () => {
    const { internet, nat, inner, x1 } = topology(mapping, filtering)
    x1.send('hello', nat.addresses[0]!.withPort(4000))
    internet.run()
    expect(inner.texts).toEqual([])
  })
})

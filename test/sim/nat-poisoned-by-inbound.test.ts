/** A NAT that lets an unasked packet from outside take an external port, as Linux does without a rule against it. */

import { expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import { behindNat } from '../support/probe-nat.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

test.each([
  [false, true],
  [true, false],
])('poisoned: %s, the sender of an unasked packet sees the same port: %s', (poisonedByInbound, isSame) => {
  const { internet, open, mapped, host } = behindNat({ poisonedByInbound })
  const inner = open(5000, host)
  const address = mapped(inner)
  const stranger = open(2222, internet.host())
  stranger.send('unasked', address)
  internet.run()
  expect(inner.texts).toEqual([])
  expect(mapped(inner, stranger) === address).toBe(isSame)
  // Others are not concerned.
  expect(mapped(inner)).toBe(address)
})

test('hole punching fails when the packet of the other side comes first', () => {
  const punch = (poisonedByInbound: boolean) => {
    const internet = new Internet({ seed: 1 })
    const [x, y] = [internet.nat({ poisonedByInbound }), internet.nat()]
    const [a, b] = [new ProbeSocket(x.host(), { port: 5000 }), new ProbeSocket(y.host(), { port: 6000 })]
    internet.run()
    for (let i = 0; i < 5; i++) {
      internet.at(i * 500, () => b.send('hello', x.addresses[0]!.withPort(5000)))
      internet.at(i * 500 + 100, () => a.send('hello', y.addresses[0]!.withPort(6000)))
    }
    internet.run({ for: 10_000 })
    return [a.texts.length > 0, b.texts.length > 0]
  }
  expect(punch(false)).toEqual([true, true])
  expect(punch(true)).toEqual([false, false])
})

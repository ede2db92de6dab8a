import { expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

const group = TransportAddress.of('224.0.0.251', 5353)
const member = { address: TransportAddress.of('0.0.0.0', 5353), multicastGroups: [group] }

test('reaches the members of the group on one network, the sender itself included, and nobody beyond its router', () => {
  const internet = new Internet({ seed: 1 })
  const [home, other] = [internet.nat(), internet.nat()]
  const [x, y] = [home.host(), home.host()]
  const members = [x, y, y, other.host(), internet.host()].map((host) => new ProbeSocket(host, member))
  const deaf = new ProbeSocket(y, { port: 5353 })
  internet.run()
  members[0]!.send('who is there', group)
  internet.run()
  expect(members.map(({ texts }) => texts.length)).toEqual([1, 1, 1, 0, 0])
  expect(members[1]!.lastFrom).toBe(`${x.address(5353)}`)
  expect([deaf.failures, deaf.texts]).toEqual([[], []])
})

test('a member answers by unicast', () => {
  const internet = new Internet({ seed: 1 })
  const home = internet.nat()
  const [x, y] = [home.host(), home.host()].map((host) => new ProbeSocket(host, member))
  internet.run()
  x!.send('who is there', group)
  internet.run()
  y!.send('me', y!.lastFrom)
  internet.run()
  expect(x!.texts).toEqual(['who is there', 'me'])
})

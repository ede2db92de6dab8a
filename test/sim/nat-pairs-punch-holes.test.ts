/**
 * Two hosts behind any two NATs that send to each other at once, and answer to where a packet came from: the rule of
 * who can reach whom, from RFC 4787's terms alone, against what the packets do.
 */

import { expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Dependency } from '../../src/sim/filter.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

interface Behaviour {
  readonly mapping: Dependency
  readonly filtering: Dependency
}

const short = { 'endpoint-independent': 'E', 'address-dependent': 'A', 'address-and-port-dependent': 'P' }
const dependencies = Object.keys(short) as Dependency[]
const behaviours = dependencies.flatMap((mapping) =>
  dependencies.map((filtering) => ({ mapping, filtering })),
)
const nameOf = ({ mapping, filtering }: Behaviour) => short[mapping] + short[filtering]

const isFixed = ({ mapping }: Behaviour) => mapping === 'endpoint-independent'

/** Whether what Y sends to the mapping that X has told of comes in, when X sends to the one that Y has told of. */
function reaches(y: Behaviour, x: Behaviour): boolean {
  if (x.filtering === 'endpoint-independent') return true
  if (x.filtering === 'address-dependent') return isFixed(x)
  return isFixed(x) && isFixed(y)
}

/** Whether Y lets in what X sends back to where Y's packet came from. */
function answers(x: Behaviour, y: Behaviour): boolean {
  return isFixed(x) || y.filtering !== 'address-and-port-dependent'
}

function isDirect(x: Behaviour, y: Behaviour): boolean {
  return (reaches(y, x) && answers(x, y)) || (reaches(x, y) && answers(y, x))
}

/** Whether some packet is answered. */
function meet(x: Behaviour, y: Behaviour): boolean {
  const internet = new Internet({ seed: 1 })
  const [natX, natY] = [internet.nat(x), internet.nat(y)]
  const reflector = new ProbeSocket(internet.host(), { port: 3478 })
  let isMet = false
  const sides = [natX, natY].map((nat) => {
    const host = nat.host()
    const socket = host.bindUdp(
      { address: host.address(5000) },
      {
        bound: () => {},
        failed: () => {},
        sendFailed: () => {},
        datagram: (bytes, source) => {
          if (bytes[0] === 1) socket.send(Uint8Array.of(2), source)
          else isMet = true
        },
      },
    )
    return socket
  })
  internet.run()
  for (const socket of sides) socket.send(Uint8Array.of(1), reflector.local!)
  internet.run()
  const told = reflector.arrived.map(({ from }) => from)
  for (let i = 0; i < 3; i++) {
    internet.at(internet.now + i * 100, () => {
      sides[0]!.send(Uint8Array.of(1), addressOf(told[1]!))
      sides[1]!.send(Uint8Array.of(1), addressOf(told[0]!))
    })
  }
  internet.run()
  return isMet
}

function addressOf(text: string) {
  return TransportAddress.parse(text)
}

test('all 81 pairs do what the rule says', () => {
  const table = (decide: (x: Behaviour, y: Behaviour) => boolean) =>
    behaviours.map((x) => `${nameOf(x)} ${behaviours.map((y) => (decide(x, y) ? 'D' : '-')).join(' ')}`)
  expect(table(meet)).toEqual(table(isDirect))
  expect(table(isDirect)).toMatchInlineSnapshot(`
    [
      "EE D D D D D D D D D",
      "EA D D D D D D D D D",
      "EP D D D - - - - - -",
      "AE D D - D D - D D -",
      "AA D D - D - - D - -",
      "AP D D - - - - - - -",
      "PE D D - D D - D D -",
      "PA D D - D - - D - -",
      "PP D D - - - - - - -",
    ]
  `)
})

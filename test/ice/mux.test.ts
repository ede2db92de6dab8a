/** Several agents behind one socket. */

import { describe, expect, it } from 'vitest'
import { datagramOf } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { IceAgent } from '../../src/ice/agent.ts'
import { IceMux } from '../../src/ice/mux.ts'
import { checkOf, successTo } from '../support/ice-messages.ts'
import { decoded, host, hostAddress, peerAddress, SoloIce } from '../support/ice-solo.ts'
import { seededRandom } from '../support/random.ts'

const elsewhere = TransportAddress.parse('203.0.113.9:9')

function two() {
  const mux = new IceMux<IceAgent>(seededRandom(1))
  const [first, second] = [
    SoloIce.ready(),
    SoloIce.ready({ credentials: { ufrag: 'second00', pwd: 'p'.repeat(24) } }),
  ]
  for (const { agent } of [first, second]) mux.add(agent, agent.localDescription.ufrag)
  const route = (bytes: Uint8Array, source = peerAddress) =>
    mux.route(datagramOf(host, source, bytes), first.now)
  return { mux, first, second, route }
}

describe('a packet at a shared socket', () => {
  it('that is a check goes by the fragment that it names, wherever it comes from', () => {
    const { first, second, route } = two()
    expect(route(checkOf(first.agent))).toBe(first.agent)
    expect(route(checkOf(second.agent))).toBe(second.agent)
    expect(route(checkOf(second.agent), elsewhere)).toBe(second.agent)
  })

  it('that is anything else goes by where it comes from', () => {
    const { mux, first, route } = two()
    expect(route(Uint8Array.of(20, 0, 0))).toBeUndefined()
    route(checkOf(first.agent))
    expect(route(Uint8Array.of(20, 0, 0))).toBe(first.agent)
    expect(mux.verdict).toBe('data')
  })

  it('that is an answer goes to whom it was asked by', () => {
    const { mux, first, route } = two()
    first.elapse(0)
    const [request] = first.requests()
    mux.sent(first.agent, host, request!.destination, request!.bytes)
    expect(route(successTo(decoded(request!).transactionId, hostAddress))).toBe(first.agent)
    expect(first.agent.state).toBe('connected')
  })

  it('that is an answer goes by its transaction where two have asked the same', () => {
    const { mux, first, second, route } = two()
    for (const { agent } of [first, second]) mux.sent(agent, host, peerAddress, Uint8Array.of(20, 0, 0))
    first.elapse(0)
    second.elapse(0)
    const requests = [first, second].map((solo) => solo.requests()[0]!)
    mux.sent(first.agent, host, peerAddress, requests[0]!.bytes)
    mux.sent(second.agent, host, peerAddress, requests[1]!.bytes)
    const answers = requests.map((request) => successTo(decoded(request).transactionId, hostAddress))
    expect(route(answers[1]!)).toBe(second.agent)
    expect(route(answers[0]!)).toBe(first.agent)
    // Once answered, it is over: what comes again goes by its address.
    expect(route(answers[1]!)).toBe(first.agent)
    expect(mux.verdict).toBe('dropped')
  })

  it('that names nobody is nobody’s', () => {
    const { mux, first, route } = two()
    expect(route(checkOf(first.agent, { username: 'nobody:peer' }))).toBeUndefined()
    expect(mux.verdict).toBe('dropped')
  })

  it('that is not authentic takes no address away from another session', () => {
    const { first, second, route } = two()
    route(checkOf(first.agent))
    route(checkOf(second.agent, { password: 'guessed' }))
    expect(route(Uint8Array.of(20, 0, 0))).toBe(first.agent)
  })

  it('that is authentic does: a peer has begun a new session from the same port', () => {
    const { first, second, route } = two()
    route(checkOf(first.agent))
    route(checkOf(second.agent))
    expect(route(Uint8Array.of(20, 0, 0))).toBe(second.agent)
  })
})

describe('an agent that is removed', () => {
  it('gets nothing any more, and leaves nothing behind', () => {
    const { mux, first, route } = two()
    route(checkOf(first.agent))
    mux.remove(first.agent)
    expect(route(checkOf(first.agent))).toBeUndefined()
    expect(route(Uint8Array.of(20, 0, 0))).toBeUndefined()
  })
})

it('what a peer makes it learn is limited', () => {
  const { mux, first, route } = two()
  for (let port = 1; port <= 1000; port++) {
    mux.sent(first.agent, host, elsewhere.withPort(port), Uint8Array.of(20))
  }
  expect(route(Uint8Array.of(20), elsewhere.withPort(1))).toBeUndefined()
  expect(route(Uint8Array.of(20), elsewhere.withPort(1000))).toBe(first.agent)
})

it('a restart adds a fragment and takes one away', () => {
  const { mux, first, route } = two()
  const old = first.agent.localDescription
  const { ufrag } = first.agent.restart(first.now)
  mux.add(first.agent, ufrag)
  expect(route(checkOf(first.agent))).toBe(first.agent)
  expect(route(checkOf(first.agent, { username: `${old.ufrag}:x`, password: old.pwd }))).toBe(first.agent)
  mux.removeUfrag(old.ufrag)
  expect(route(checkOf(first.agent, { username: `${old.ufrag}:x` }), elsewhere)).toBeUndefined()
})

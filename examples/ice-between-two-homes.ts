/**
 * Two ICE agents with their sockets, in two homes that a direct path does not connect: a turnpike server relays. All in
 * virtual time. Run it with `node examples/ice-between-two-homes.ts`.
 */

import assert from 'node:assert/strict'
import { type IceTransport, type IceTransportOptions, openIce } from 'turnpike/net'
import { defaultConfig, type Log, startServer } from 'turnpike/server'
import { Internet, type SimHost } from 'turnpike/testing'

const internet = new Internet({ seed: 1 })
const server = internet.host()
internet.name('turn.example', server)
const log: Log = { debug: () => {}, info: () => {}, warn: console.warn, error: console.error }
const users = [{ name: 'alice', password: 'wonder' }]
const running = await internet.until(startServer({ ...defaultConfig, users }, server, log))

// Another port for each destination: what is known as a symmetric NAT.
const symmetric = { mapping: 'address-and-port-dependent', ports: 'random' } as const
const alice = open(internet.nat(symmetric).host(), 'controlling')
const bob = open(internet.nat(symmetric).host(), 'controlled')
signal(alice, bob)
signal(bob, alice)

assert(internet.run({ until: () => alice.state === 'completed' && bob.state === 'completed', for: 10_000 }))
alice.transport.send(new TextEncoder().encode('hello'))
internet.run({ for: 100 })
assert.deepEqual(bob.received, ['hello'])
const pair = alice.transport.pairs().find(({ isNominated }) => isNominated)
console.log(`connected by ${pair?.local.type} and ${pair?.remote.type} candidates at ${internet.now} ms`)

for (const side of [alice, bob]) side.transport.close()
internet.run({ for: 1000 })
running.close()
assert(internet.run(), 'nothing is left to happen')

interface Side {
  readonly transport: IceTransport
  readonly received: string[]
  readonly state: string
  onCandidate: Parameters<typeof openIce>[2]['onEvent']
}

function open(host: SimHost, role: IceTransportOptions['role']): Side {
  const received: string[] = []
  const transport = openIce(
    host,
    { role, servers: [{ urls: 'turn:turn.example', username: 'alice', credential: 'wonder' }] },
    {
      onEvent: (event) => side.onCandidate(event),
      onData: (bytes) => received.push(new TextDecoder().decode(bytes)),
    },
  )
  const side: Side = {
    transport,
    received,
    get state() {
      return transport.state
    },
    onCandidate: () => {},
  }
  return side
}

/** What one side says is told to the other 50 ms later. */
function signal(from: Side, to: Side): void {
  const tell = (action: () => void) => internet.at(internet.now + 50, action)
  from.onCandidate = (event) => {
    if (event.type === 'local-candidate') tell(() => to.transport.addRemoteCandidate(event.candidate))
    if (event.type === 'end-of-candidates') tell(() => to.transport.endOfRemoteCandidates())
  }
  const description = from.transport.localDescription
  tell(() => to.transport.connect(description))
  from.transport.gather()
}

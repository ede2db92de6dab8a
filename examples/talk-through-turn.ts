/**
 * A server, and two clients that can reach nothing but that server: each makes an allocation, and they talk from relayed
 * address to relayed address. On loopback, by real sockets: `node examples/talk-through-turn.ts`.
 */

import assert from 'node:assert/strict'
import { dialTurn, NodeHost, TransportAddress, type TurnConnection } from 'turnpike/net'
import { createLog, defaultConfig, startServer } from 'turnpike/server'
import { parseServerUri } from 'turnpike/stun'

const host = new NodeHost()
const server = await startServer(
  {
    ...defaultConfig,
    listen: [{ transport: 'udp', address: TransportAddress.of('127.0.0.1', 0), isOptional: false }],
    users: [{ name: 'alice', password: 'wonder' }],
  },
  host,
  createLog({ stream: process.stderr, level: 'silent', format: 'json', date: () => new Date() }),
)
const uri = parseServerUri(`turn:${server.listeners[0]?.address}?transport=udp`)

const alice = await dial()
const bob = await dial()
// Both name the other: a server relays nothing from where it was not asked to.
alice.turn.bindChannel(bob.relayed)
bob.turn.bindChannel(alice.relayed)
await Promise.all([alice.isBound, bob.isBound])

assert(alice.turn.send(new TextEncoder().encode('hello Bob'), bob.relayed))
assert.equal(await bob.text, 'hello Bob')
assert(bob.turn.send(new TextEncoder().encode('hello Alice'), alice.relayed))
assert.equal(await alice.text, 'hello Alice')
console.log(
  `${alice.relayed} and ${bob.relayed} have talked, ${alice.turn.roundTripMs()?.toFixed(1)} ms from the server`,
)

alice.turn.close()
bob.turn.close()
await Promise.all([alice.isClosed, bob.isClosed])
await server.close()

/** An allocation, and promises for what comes of it. */
async function dial() {
  const allocated = Promise.withResolvers<TransportAddress>()
  const bound = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const text = Promise.withResolvers<string>()
  const turn: TurnConnection = dialTurn(
    host,
    { uri, credentials: { username: 'alice', password: 'wonder' } },
    {
      data: (bytes) => text.resolve(new TextDecoder().decode(bytes)),
      event: (event) => {
        switch (event.type) {
          case 'allocated':
            allocated.resolve(event.allocation.relayed[0]!)
            break
          case 'channel-bound':
            bound.resolve()
            break
          case 'closed':
            closed.resolve()
            break
          case 'failed':
            allocated.reject(new Error(JSON.stringify(event.failure)))
        }
      },
    },
  )
  const relayed = await allocated.promise
  return { turn, relayed, isBound: bound.promise, isClosed: closed.promise, text: text.promise }
}

/**
 * Two programs in two homes that learn their external addresses from a server on the internet, and then reach each
 * other directly: hole punching, in virtual time. Run it with `node examples/two-homes-punch-holes.ts`.
 */

import assert from 'node:assert/strict'
import { Internet, type SimHost, TransportAddress } from 'turnpike/testing'

const internet = new Internet({ seed: 1 })
const server = internet.host()
const alice = open(internet.nat({ ports: 'random' }).host())
const bob = open(internet.nat({ filtering: 'address-dependent' }).host())

// The server tells everybody where their packets come from.
const reflector = open(server, 3478)
reflector.onText = (_, source) => reflector.send(`${source}`, source)
internet.run()

alice.send('where am I?', server.address(3478))
bob.send('where am I?', server.address(3478))
internet.run()
const [aliceIsAt, bobIsAt] = [alice, bob].map(({ texts }) => TransportAddress.parse(texts.pop()!))

// Both send at once: each packet opens the own NAT for the other's.
alice.send('hello from Alice', bobIsAt!)
bob.send('hello from Bob', aliceIsAt!)
internet.run()

assert.deepEqual(alice.texts, ['hello from Bob'])
assert.deepEqual(bob.texts, ['hello from Alice'])
console.log(`Alice at ${aliceIsAt}, Bob at ${bobIsAt}: connected ${internet.now} ms after the start`)

/** A UDP socket that speaks text. */
function open(host: SimHost, port = 5000) {
  const texts: string[] = []
  const socket = host.bindUdp(
    { address: host.address(port) },
    {
      bound: () => {},
      failed: (reason) => assert.fail(reason),
      sendFailed: (reason) => assert.fail(reason),
      datagram: (bytes, source) => {
        const text = new TextDecoder().decode(bytes)
        texts.push(text)
        side.onText(text, TransportAddress.from(source))
      },
    },
  )
  const side = {
    texts,
    onText: (_text: string, _source: TransportAddress) => {},
    send: (text: string, to: TransportAddress) => socket.send(new TextEncoder().encode(text), to),
  }
  return side
}

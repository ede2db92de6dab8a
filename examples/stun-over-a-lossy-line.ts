/**
 * A real turnpike server on a simulated internet, asked through a NAT and a line that loses half of all packets. The
 * same seed loses the same ones every time. Run it with `node examples/stun-over-a-lossy-line.ts`.
 */

import assert from 'node:assert/strict'
import { defaultConfig, type Log, startServer } from 'turnpike/server'
import { decodeMessage, encodeMessage } from 'turnpike/stun'
import { Internet } from 'turnpike/testing'

const internet = new Internet({ seed: 7 })
const server = internet.host()
const home = internet.nat({ link: { delayMs: 15, loss: 0.5 } })
const client = home.host()

const log: Log = { debug: () => {}, info: () => {}, warn: console.warn, error: console.error }
const users = [{ name: 'user', password: 'password' }]
// Programs that await need their promises settled between events: that is what `until` is for.
const running = await internet.until(startServer({ ...defaultConfig, users }, server, log))

let mapped: string | undefined
let sent = 0
const socket = client.bindUdp(
  { address: client.address(5000) },
  {
    bound: () => ask(),
    failed: (reason) => assert.fail(reason),
    sendFailed: (reason) => assert.fail(reason),
    datagram: (bytes) => {
      const message = decodeMessage(bytes)
      assert(typeof message !== 'string', 'the server speaks STUN')
      mapped = `${message.get('XOR-MAPPED-ADDRESS')}`
    },
  },
)

/** Every half second until there is an answer. */
function ask(): void {
  if (mapped !== undefined) return
  sent++
  const transactionId = client.random.bytes(12)
  socket.send(
    encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] }),
    server.address(3478),
  )
  internet.at(internet.now + 500, ask)
}

assert(internet.run({ until: () => mapped !== undefined, for: 60_000 }))
assert.equal(mapped, `${home.addresses[0]}`.replace(/:0$/, ':5000'))
console.log(`the NAT makes ${mapped} of us; ${sent} packets and ${internet.now} ms to find out`)
running.close()

/** Run by full-queue.test.ts where the link of loopback takes a packet a second: what becomes of a burst, as JSON. */

import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { socketId } from '../../../src/core/sans-io.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { nodeClock } from '../../../src/net/node-host.ts'
import { loadLibc } from '../../../src/net/udp-mmsg/libc.ts'
import { MmsgDriver } from '../../../src/net/udp-mmsg/mmsg-driver.ts'
import { until } from '../../support/until.ts'

const libc = loadLibc()
if (typeof libc === 'string') throw new Error(libc)
const options = { reusePort: false, receiveBufferBytes: 1 << 20, sendBufferBytes: 1 << 20 }
const opened = MmsgDriver.open(libc, nodeClock, { ...options, ring: process.argv[2] === 'io_uring' })
if (typeof opened === 'string') throw new Error(opened)
const driver = opened

const relay = socketId(0x10000)
let isBound = false
const told: [string, number][] = []
driver.handlers = {
  bound: () => {
    isBound = true
  },
  bindFailed: (_socket, reason) => {
    throw new Error(reason)
  },
  datagram: () => {},
  icmp: () => {},
  sendFailed: (reason, packets) => told.push([reason, packets]),
}
driver.bind(relay, TransportAddress.of('127.0.0.1', 0))
const peer = createSocket('udp4')
peer.bind(0, '127.0.0.1')
await once(peer, 'listening')
let arrived = 0
peer.on('message', () => arrived++)
const destination = TransportAddress.of('127.0.0.1', peer.address().port)
const turned = (holds: () => boolean) => () => {
  driver.run(0)
  return holds()
}

await until(turned(() => isBound))
const burst = 20
for (let i = 0; i < burst; i++) {
  driver.transmit(relay, destination, new Uint8Array(1000 - i))
  driver.run(0)
}
await until(turned(() => told.length > 0))
const refused = told.reduce((sum, [, packets]) => sum + packets, 0)
const { sent } = driver.counters
// The queue is gone; the socket serves on.
execFileSync('tc', ['qdisc', 'del', 'dev', 'lo', 'root'])
const before = arrived
driver.transmit(relay, destination, new Uint8Array(10))
await until(turned(() => arrived > before))
const reasons = [...new Set(told.map(([reason]) => reason))]
process.stdout.write(
  JSON.stringify({ reasons, isEachCounted: sent + refused === burst, hasRefused: refused > 0 }),
)
peer.close()
driver.stop()

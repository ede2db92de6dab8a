/** Run by small-mtu.test.ts where loopback has an MTU of 1,500: prints what arrives, and which ICMP errors come. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Datagram, socketId } from '../../../src/core/sans-io.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { nodeClock } from '../../../src/net/node-host.ts'
import { loadLibc } from '../../../src/net/udp-mmsg/libc.ts'
import { MmsgDriver } from '../../../src/net/udp-mmsg/mmsg-driver.ts'

const libc = loadLibc()
if (typeof libc === 'string') throw new Error(libc)
const options = { reusePort: false, receiveBufferBytes: 1 << 20, sendBufferBytes: 1 << 20 }
const driver = MmsgDriver.open(libc, nodeClock, { ...options, ring: process.argv[2] === 'io_uring' })
if (typeof driver === 'string') throw new Error(driver)

const listener = socketId(0)
const relay = socketId(0x10000)
const icmp: number[][] = []
let listening: TransportAddress | undefined
let destination: TransportAddress
let forward: (datagram: Datagram) => void = () => {}
driver.handlers = {
  bound: (socket, local) => {
    if (socket === listener) listening = local
  },
  bindFailed: (_socket, reason) => {
    throw new Error(reason)
  },
  datagram: (datagram) => forward(datagram),
  icmp: (_socket, _peer, type, code, data) => icmp.push([type, code, data]),
  sendFailed: () => {},
}
driver.bind(listener, TransportAddress.of('127.0.0.1', 0))
driver.bind(relay, TransportAddress.of('127.0.0.1', 0))

const peer = createSocket('udp4')
peer.bind(0, '127.0.0.1')
await once(peer, 'listening')
const received: number[] = []
peer.on('message', ({ length }) => received.push(length))
destination = TransportAddress.of('127.0.0.1', peer.address().port)
const client = createSocket('udp4')

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000
  while (!condition() && Date.now() < end) {
    ;(driver as MmsgDriver).run(0)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

await until(() => listening !== undefined)
/** One datagram of that length through the driver, with or without the DF bit. */
async function relayed(length: number, dontFragment: boolean): Promise<void> {
  const before = received.length + icmp.length
  forward = ({ start, end, ...datagram }) =>
    (driver as MmsgDriver).forward(
      {
        socket: relay,
        destination,
        header: new Uint8Array(0),
        headerLength: 0,
        start,
        end,
        padding: 0,
        dontFragment,
      },
      { ...datagram, start, end },
    )
  client.send(Buffer.alloc(length), listening?.port ?? 0, '127.0.0.1')
  await until(() => received.length + icmp.length > before)
}
await relayed(1000, true)
await relayed(2000, true)
await relayed(3000, false)

/** Runs of packets that do not fit the link in one piece: the system cuts no messages into such. */
const before = received.length
for (let i = 0; i < 20; i++) driver.transmit(relay, destination, new Uint8Array(2000))
for (let i = 0; i < 20; i++) driver.transmit(relay, destination, new Uint8Array(1000))
await until(() => received.length === before + 40)
const { sent, sentMessages, refused } = driver.counters
process.stdout.write(JSON.stringify({ received, icmp, sent, sentMessages, refused: [...refused] }))
peer.close()
client.close()
driver.stop()

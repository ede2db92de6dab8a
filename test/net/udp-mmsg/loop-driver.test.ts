/** The mmsg driver in a thread that goes back to Node's loop: it wakes up, sends at the end of a round, and ends. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type Datagram, socketId } from '../../../src/core/sans-io.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { nodeClock } from '../../../src/net/node-host.ts'
import type { UdpDriver } from '../../../src/net/udp-driver.ts'
import { LoopDriver } from '../../../src/net/udp-mmsg/loop-driver.ts'
import { libcFor } from '../../support/libc.ts'
import { start } from '../../support/programs.ts'
import { until } from '../../support/until.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

interface World {
  readonly loop: LoopDriver
  readonly driver: UdpDriver
  readonly local: TransportAddress
}

/** A driver with one relay socket that answers what it gets. */
async function open(answer: (driver: UdpDriver, datagram: Datagram) => void): Promise<World> {
  const loop = LoopDriver.open(nodeClock)
  if (typeof loop === 'string') throw new Error(loop)
  cleanUps.push(() => loop.stop())
  let local: TransportAddress | undefined
  const driver = loop.createDriver({
    bound: (_, address) => {
      local = address
    },
    bindFailed: (_, reason) => {
      throw new Error(reason)
    },
    datagram: (datagram) => answer(driver, datagram),
    icmp: () => {},
    sendFailed: () => {},
  })
  driver.bind(socketId(0x10000), TransportAddress.of('127.0.0.1', 0))
  await until(() => local !== undefined, 'the socket')
  return { loop, driver, local: local! }
}

async function peer(): Promise<{
  received: Buffer[]
  send: (bytes: Uint8Array, to: TransportAddress) => void
}> {
  const socket = createSocket('udp4')
  cleanUps.push(() => socket.close())
  const received: Buffer[] = []
  socket.on('message', (bytes) => received.push(bytes))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { received, send: (bytes, { port, ip }) => socket.send(bytes, port, ip) }
}

const echo = (driver: UdpDriver, { socket, source, bytes, start, end }: Datagram) =>
  driver.transmit(socket, TransportAddress.from(source), bytes.slice(start, end))

describe.skipIf(typeof libcFor('the driver on the event loop') === 'string')(
  'The driver on Node\u2019s loop',
  () => {
    it('wakes up for a packet, however long there was none', async () => {
      const { local } = await open(echo)
      const { received, send } = await peer()
      for (const pauseMs of [0, 1, 20, 200, 1200, 0]) {
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        const before = received.length
        send(Uint8Array.of(pauseMs & 255), local)
        await until(() => received.length > before, `the answer after ${pauseMs} ms`)
      }
      expect(received.map(([byte]) => byte)).toEqual([0, 1, 20, 200, 1200 & 255, 0])
    })

    it('carries many packets, those that came together as well', async () => {
      const { local } = await open(echo)
      const { received, send } = await peer()
      for (let round = 1; round <= 50; round++) {
        for (let i = 0; i < 20; i++) send(Uint8Array.of(round, i), local)
        await until(() => received.length === round * 20, `the answers of round ${round}`)
      }
    })

    it('sends what it is told between turns', async () => {
      const { driver, local } = await open(() => {})
      const received: string[] = []
      const socket = createSocket('udp4')
      cleanUps.push(() => socket.close())
      socket.on('message', (bytes, { port }) => received.push(`${bytes} from ${port}`))
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
      const destination = TransportAddress.of('127.0.0.1', socket.address().port)
      for (const text of ['one', 'two']) driver.transmit(socketId(0x10000), destination, Buffer.from(text))
      await until(() => received.length === 2, 'both')
      expect(received).toEqual([`one from ${local.port}`, `two from ${local.port}`])
    })

    it('stops at once, and twice does no harm', async () => {
      const { loop, driver } = await open(echo)
      driver.closeAll()
      await Promise.all([loop.stop(), loop.stop()])
      await loop.stop()
    })

    it('ends a server of streams in order, and one that has nobody to serve as well', async () => {
      const flags = ['--listen', 'tcp://127.0.0.1:0', '--user', 'a:b']
      const child = start(process.execPath, ['bin/turnpike.ts', 'serve', ...flags])
      await child.waitFor(/"event":"listening"/)
      const { code, stderr } = await child.stop()
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('unsettled')])
    })
  },
)

/** A client by TCP that never reads while its peer sends and sends: what that costs the server's process, and others. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { RealStreamClient } from '../support/real-streams.ts'
import { median, RoundTrips } from '../support/round-trips.ts'
import { streamUser } from '../support/stream-speaker.ts'

const mebibyte = 1024 * 1024
/** Eight datagrams fit into the receive buffer that any system grants, so that the server sees nearly all of them. */
const burst = { packets: 8, bytes: 8192 }

let server: Child & { port: number }
const sockets: { close(): void }[] = []

beforeAll(async () => {
  server = await startTurnpike([
    ...['--listen', 'tcp://127.0.0.1:0', '--user', `${streamUser.name}:${streamUser.password}`],
    ...['--allow-peer', '127.0.0.0/8', '--log-format', 'json'],
  ])
})

afterAll(async () => {
  for (const socket of sockets) socket.close()
  await server?.stop()
})

async function client(): Promise<RealStreamClient> {
  const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
  const opened = new RealStreamClient(JSON.parse(line).listeners[1].port)
  sockets.push({ close: () => opened.socket.destroy() })
  return opened
}

async function peerSocket(): Promise<{ socket: Socket; address: TransportAddress }> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, address: TransportAddress.of('127.0.0.1', socket.address().port) }
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

it.skipIf(process.platform !== 'linux')(
  'a client that never reads while its peer sends 200 MB costs at most 32 MB, and slows no one',
  async () => {
    const [bad, good, warm] = [await client(), await client(), await client()]
    const [flooder, echo] = [await peerSocket(), await peerSocket()]
    echo.socket.on('message', (bytes, { port, address }) => echo.socket.send(bytes, port, address))
    const relayed = await bad.allocate()
    await bad.bindChannel(0x4000, flooder.address)
    await good.allocate()
    await good.bindChannel(0x4000, echo.address)
    const reading = await warm.allocate()
    await warm.bindChannel(0x4000, flooder.address)

    const trips = new RoundTrips(good, 0x4000)
    const packet = new Uint8Array(burst.bytes)
    /** Sends that much; each burst is followed by a packet of the good client there and back. */
    const flood = async (destination: TransportAddress, bytes: number, after: () => void = () => {}) => {
      const milliseconds: number[] = []
      for (let sent = 0; sent < bytes; sent += burst.packets * burst.bytes) {
        for (let i = 0; i < burst.packets; i++) {
          flooder.socket.send(packet, destination.port, destination.ip)
        }
        milliseconds.push(await trips.once())
        after()
      }
      return milliseconds
    }

    // What a process takes once, such as compiled code and a young heap of full size, is not growth; and a client that
    // reads is what round trips are compared with.
    const besideReader = await flood(reading, 48 * mebibyte)
    bad.socket.pause()
    const before = residentBytes()
    let most = before
    const besideNonReader = await flood(relayed, 200 * mebibyte, () => {
      most = Math.max(most, residentBytes())
    })
    expect(most - before).toBeLessThanOrEqual(32 * mebibyte)
    expect(besideNonReader.length).toBe((200 * mebibyte) / (burst.packets * burst.bytes))
    expect(median(besideNonReader)).toBeLessThan(median(besideReader) + 200)

    // It was flooded indeed: the record of its allocation has what its peer has sent it.
    bad.socket.resetAndDestroy()
    const [line] = await server.waitFor(/^.*"allocation ended".*$/m)
    expect(JSON.parse(line).bytesToClient).toBeGreaterThan(100 * mebibyte)
  },
)

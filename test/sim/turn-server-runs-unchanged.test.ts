import { expect, test } from 'vitest'
import { defaultConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('a client behind a NAT learns its external address from startServer on a simulated host', async () => {
  const internet = new Internet({ seed: 1 })
  const serverHost = internet.host()
  const nat = internet.nat()
  const client = nat.host()
  const server = await internet.until(
    startServer({ ...defaultConfig, users: [{ name: 'user', password: 'pass' }] }, serverHost, silent),
  )
  // A host has ::1 even without IPv6; that is no address to relay from.
  expect(server.relays.map(({ address }) => address.ip)).toEqual([serverHost.address().ip])
  let mapped: string | undefined
  const socket = client.bindUdp(
    { address: client.address(5000) },
    {
      bound: () => {
        const request = encodeMessage({
          class: 'request',
          method: 'Binding',
          transactionId: client.random.bytes(12),
          attributes: [],
        })
        socket.send(request, serverHost.address(3478))
      },
      failed: () => {},
      datagram: (bytes) => {
        const message = decodeMessage(bytes)
        if (typeof message !== 'string') mapped = `${message.get('XOR-MAPPED-ADDRESS')}`
      },
      sendFailed: () => {},
    },
  )
  const start = internet.now
  internet.run({ until: () => mapped !== undefined, for: 1000 })
  expect(mapped).toBe(`${nat.addresses[0]!.withPort(5000)}`)
  expect(internet.now - start).toBe(40)
  server.close()
  internet.run()
})

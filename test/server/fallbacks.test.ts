/** A server process that may not do what it would: it says what it does instead, and serves. */

import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { libcFor } from '../support/libc.ts'
import { type Child, start } from '../support/programs.ts'
import { UdpTurnClient } from '../support/udp-turn-client.ts'
import { until } from '../support/until.ts'

const flags = ['serve', '--listen', 'udp://127.0.0.1:0', '--user', 'alice:a', '--allow-peer', '127.0.0.0/8']
const permission = ['--permission', '--allow-fs-read=*', '--allow-net']

let server: Child | undefined
const clients: UdpTurnClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await server?.stop()
})

async function serve(command: string, args: readonly string[]): Promise<TransportAddress> {
  server = start(command, args, { timeoutSeconds: 600 })
  const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
  return TransportAddress.of('127.0.0.1', JSON.parse(line).listeners[0].port)
}

async function open(address: TransportAddress): Promise<UdpTurnClient> {
  const client = await UdpTurnClient.open(address)
  clients.push(client)
  return client
}

/** Two clients that reach each other. */
async function relayed(address: TransportAddress): Promise<void> {
  const [a, b] = [await open(address), await open(address)]
  const [relayedA, relayedB] = [await a.allocate(), await b.allocate()]
  await a.bindChannel(0x4000, relayedB)
  await b.bindChannel(0x4001, relayedA)
  a.sendChannelData(0x4000, Uint8Array.of(1, 2))
  await b.untilReceived(1)
  expect(b.received[0]).toEqual(Buffer.of(0x40, 1, 0, 2, 1, 2))
}

describe.skipIf(typeof libcFor('servers that may not do what they would') === 'string')('A server', () => {
  const rows: [string, string[], string[], RegExp][] = [
    [
      'whose Node has no node:ffi',
      ['--no-experimental-ffi'],
      [],
      /serving UDP io=dgram via=node:dgram because="no node:ffi" workers=1$/m,
    ],
    [
      'that was told to use it all the same',
      ['--no-experimental-ffi'],
      ['--io', 'mmsg', '--workers', '2'],
      /serving UDP io=dgram via=node:dgram because="no node:ffi \(ERR_\w+\)" workers=2$/m,
    ],
    [
      'that may not use node:ffi',
      [...permission, '--allow-worker'],
      [],
      /serving UDP io=dgram via=node:dgram because="no node:ffi \(ERR_ACCESS_DENIED\)" workers=1$/m,
    ],
    [
      'that may not have threads',
      permission,
      ['--workers', '4'],
      /no threads: UDP is served in the main one reason=".*--allow-worker.*" workers=4\n.*serving UDP io=dgram via=node:dgram workers=1$/m,
    ],
  ]
  it.each(rows)('%s says what it does instead, and serves', async (_what, nodeFlags, more, said) => {
    const address = await serve(process.execPath, [...nodeFlags, 'bin/turnpike.ts', ...flags, ...more])
    await server!.waitFor(said)
    await relayed(address)
    const { code } = await server!.stop()
    expect(code).toBe(0)
  })

  it.each(['mmsg', 'dgram'])(
    'without descriptors refuses allocations, and gives new ones when there are some again (%s)',
    async (io) => {
      const limited = `ulimit -n 128; exec "$0" bin/turnpike.ts "$@"`
      const address = await serve('sh', ['-c', limited, process.execPath, ...flags, '--io', io])
      const descriptors = () => readdirSync(`/proc/${server!.process.pid}/fd`).length
      await relayed(address)
      const before = descriptors() - 2
      let code: number | undefined
      while (code === undefined) {
        const client = await open(address)
        const answer = await client.request('Allocate', [['REQUESTED-TRANSPORT', 17]])
        code = answer.get('ERROR-CODE')?.code
        expect(clients.length).toBeLessThan(128)
      }
      expect(code).toBe(508)
      // Those that there are go on.
      const [a, b] = clients
      a!.sendChannelData(0x4000, Uint8Array.of(3))
      await b!.untilReceived(2)
      await Promise.all(clients.splice(0).map((client) => client.release()))
      await until(() => descriptors() <= before)
      await relayed(address)
    },
  )
})

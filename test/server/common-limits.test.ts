/** Limits that hold for the whole server, however many threads it has. */

import { createSocket } from 'node:dgram'
import { setTimeout } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/stun/encode.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { UdpRequests } from '../support/udp-requests.ts'
import { until } from '../support/until.ts'

/** So many source ports that every worker gets some: the system chooses by a hash of them. */
const clients = 24

const transactionId = new Uint8Array(12)
const binding = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })

describe.each([['dgram'], ['auto']])('Two workers over %s', (io) => {
  let server: (Child & { port: number }) | undefined
  const open: UdpRequests[] = []

  afterEach(async () => {
    for (const requests of open.splice(0)) requests.close()
    await server?.stop()
  })

  it('keep one quota of a user and one of all', async () => {
    server = await startTurnpike([
      ...['--workers', '2', '--io', io, '--user', 'alice:a', '--user', 'bob:b'],
      ...['--user-quota', '5', '--total-quota', '7', '--unauthenticated-rate', '0'],
    ])
    const { port } = server
    const allocateAll = (user: string, password: string) =>
      Promise.all(
        Array.from({ length: clients }, async () => {
          const requests = new UdpRequests(port)
          open.push(requests)
          const answer = await requests.allocate(user, password)
          return answer.get('ERROR-CODE')?.code ?? 'success'
        }),
      )
    const count = (codes: (number | string)[], code: number | string) =>
      codes.filter((c) => c === code).length
    const alice = await allocateAll('alice', 'a')
    expect([count(alice, 'success'), count(alice, 486)]).toEqual([5, clients - 5])
    const bob = await allocateAll('bob', 'b')
    expect([count(bob, 'success'), count(bob, 486)]).toEqual([2, clients - 2])
  }, 60_000)
})

describe('Two workers', () => {
  it('answer a source that has proved nothing as often as one worker would', async () => {
    const flags = ['--workers', '2', '--user', 'alice:a', '--unauthenticated-rate', '1']
    const server = await startTurnpike(flags)
    const sockets = Array.from({ length: clients }, () => createSocket('udp4'))
    const start = performance.now()
    const arrivals: number[] = []
    for (const socket of sockets) {
      socket.on('message', () => arrivals.push((performance.now() - start) / 1000))
      socket.send(binding, server.port, '127.0.0.1')
    }
    await until(() => arrivals.length >= 3, 'the burst')
    await setTimeout(1000)
    for (const socket of sockets) socket.close()
    await server.stop()
    // A burst of two seconds and the one that it begins with, and what has come due until the last answer was here.
    expect(arrivals.length).toBeLessThanOrEqual(3 + Math.ceil(arrivals.at(-1)!))
  }, 60_000)
})

/**
 * coturn's own client programs against `turnpike serve`, as a user would start both: by UDP here, by TCP and TLS in
 * coturn-streams, over both families in coturn-client-families. Left out are DTLS, which Node has not, and passive TCP
 * relaying (-P), where this client counts half of its own packets as lost with coturn's server too.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPeer } from '../support/coturn-peer.ts'
import { type Child, type Ended, missingPrograms, start, startTurnpike } from '../support/programs.ts'
import { ownCollision, withoutCollision } from '../support/uclient.ts'

const missing = missingPrograms(
  "interop with coturn's client",
  ['turnutils_uclient', 'turnutils_peer', 'turnutils_stunclient'],
  'apt-get install coturn',
)

/** The best driver that there is here, and the one that is everywhere; one worker, and clients of several. */
const servers: [string, string[]][] = [
  ['turnpike', []],
  ['turnpike with four workers', ['--workers', '4']],
  ['turnpike over dgram with two workers', ['--io', 'dgram', '--workers', '2']],
]

/** Where several engines have to do with one session. */
const betweenClients: [string, string[]][] = [
  ['client to client by channels', ['-X', '-c', '-y', '-m', '4', '-l', '170', '-z', '15']],
  ['client to client by send indications', ['-X', '-c', '-y', '-s', '-m', '4', '-l', '170', '-z', '15']],
  ['an even port and the next one, for RTCP', ['-X']],
]
const otherModes: [string, string[]][] = [
  ['channels', ['-X', '-c']],
  ['send indications', ['-X', '-c', '-s']],
  ['no family asked for', ['-c']],
  ['extra requests', ['-X', '-c', '-G']],
]

describe.skipIf(missing.length > 0).each(servers)('coturn client programs through %s', (_server, more) => {
  let server: Child & { port: number }
  let peer: Child & { port: number }

  beforeAll(async () => {
    peer = await startPeer()
    server = await startTurnpike([
      ...['--user', 'u:p', '--allow-peer', '127.0.0.0/8', '--allow-legacy-channels'],
      ...['--unauthenticated-rate', '0', ...more],
    ])
  })

  afterAll(async () => {
    await peer?.stop()
    const ended = await server?.stop()
    // Whatever the clients have sent: it ends by the signal, and for no other reason.
    expect(ended?.code, ended?.stderr.slice(-2000)).toBe(0)
    expect(ended?.stderr).not.toContain('fault of this server')
  })

  function client(flags: readonly string[], timeoutSeconds = 100): Promise<Ended> {
    return start(
      'turnutils_uclient',
      [
        ...['-e', '127.0.0.1', '-r', `${peer.port}`, '-n', '20', '-m', '2', '-u', 'u', '-w', 'p'],
        ...['-p', `${server.port}`, ...flags, '127.0.0.1'],
      ],
      { timeoutSeconds },
    ).ended
  }

  function clientWithoutCollision(flags: readonly string[]): Promise<Ended> {
    return withoutCollision(() => client(flags))
  }

  it.concurrent.each(more.length === 0 ? [...betweenClients, ...otherModes] : betweenClients)(
    'relays without loss: %s',
    async (_name, flags) => {
      const { code, output } = await clientWithoutCollision(flags)
      expect(output).toContain('Total lost packets 0 (0.000000%)')
      expect(code).toBe(0)
    },
    240_000,
  )

  // The rest is of one client and one engine.
  if (more.length > 0) return

  // The client closes its sockets in the middle, when it has packets to make up for: its losses are its own.
  it.concurrent('serves a client that disconnects at random to its end', async () => {
    const { code, output } = await clientWithoutCollision(['-X', '-c', '-B'])
    expect(output).toMatch(/tot_send_msgs=[1-9]/)
    expect(code).toBe(0)
  }, 240_000)

  // This client overwrites up to nine bytes of every tenth message that it sends, seeded by the time of day. A request
  // that is no STUN any more gets no answer from anybody (RFC 8489 §6.3), and the client then waits for ever: against
  // coturn's own server every second run does. So its runs are ended, and what counts is that nobody else suffers.
  it.concurrent.each([1, 2, 3, 4])(
    'lives through malformed and unexpected messages, run %i',
    async () => {
      await client(['-X', '-c', '-R'], 8)
      const { code, output } = await clientWithoutCollision(['-X', '-c', '-n', '5'])
      expect(output).toContain('Total lost packets 0 (0.000000%)')
      expect(code).toBe(0)
    },
    240_000,
  )

  it.concurrent('refuses a second channel for one peer, as the client expects of a server', async () => {
    const { output } = await client(['-X', '-c', '-N', '-n', '5'])
    expect(output).toContain(ownCollision)
  }, 120_000)

  it.concurrent('tells turnutils_stunclient its address', async () => {
    const { code, output } = await start('turnutils_stunclient', ['-p', `${server.port}`, '127.0.0.1'], {
      timeoutSeconds: 25,
    }).ended
    expect(output).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/)
    expect(code).toBe(0)
  })
})

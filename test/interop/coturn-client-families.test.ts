/** coturn's client against `turnpike serve` on 127.0.0.1 and ::1: families, dual allocations, ports in pairs, mobility. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPeer } from '../support/coturn-peer.ts'
import {
  type Child,
  type Ended,
  hasLoopback6,
  missingPrograms,
  start,
  startTurnpike,
} from '../support/programs.ts'
import { withoutCollision } from '../support/uclient.ts'

const what = "interop with coturn's client over IPv6"
const missing = missingPrograms(what, ['turnutils_uclient', 'turnutils_peer'], 'apt-get install coturn')
const has6 = hasLoopback6(what)

describe.skipIf(missing.length > 0)("coturn's client through turnpike, over both families", () => {
  let server: Child
  let ports: Record<string, number>
  let peer: Child & { port: number }
  let log = ''

  beforeAll(async () => {
    peer = await startPeer(...(has6 ? ['::1'] : []))
    server = await startTurnpike([
      ...['--relay-address', '127.0.0.1'],
      ...(has6 ? ['--listen', 'udp://[::1]:0', '--relay-address', '::1'] : []),
      ...['--user', 'u:p', '--allow-peer', '127.0.0.0/8', '--allow-peer', '::1', '--allow-legacy-channels'],
      ...['--unauthenticated-rate', '0', '--mobility'],
    ])
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    const listeners: { address: string; port: number }[] = JSON.parse(line).listeners
    ports = Object.fromEntries(listeners.map(({ address, port }) => [address, port]))
    server.process.stderr?.on('data', (chunk) => {
      log += chunk
    })
  })

  afterAll(async () => {
    await peer?.stop()
    const ended = await server?.stop()
    expect(ended?.code, ended?.stderr.slice(-2000)).toBe(0)
  })

  async function client(host: string, peerAddress: string, flags: readonly string[]): Promise<Ended> {
    const run = () =>
      start(
        'turnutils_uclient',
        [
          ...['-e', peerAddress, '-r', `${peer.port}`, '-n', '20', '-m', '2', '-u', 'u', '-w', 'p'],
          ...['-p', `${ports[host]}`, ...flags, host],
        ],
        { timeoutSeconds: 100 },
      ).ended
    return withoutCollision(run)
  }

  const modes: [string, string, string, string[]][] = [
    ['IPv6 relay, IPv6 client, an even port and the next one', '::1', '::1', ['-x']],
    ['IPv6 relay, IPv6 client, send indications', '::1', '::1', ['-x', '-c', '-s']],
    ['IPv6 relay, IPv4 client', '127.0.0.1', '::1', ['-x']],
    ['IPv4 relay, IPv6 client', '::1', '127.0.0.1', ['-X']],
    ['fragments forbidden, an even port and the next one', '127.0.0.1', '127.0.0.1', ['-X', '-g']],
    ['dual allocations', '127.0.0.1', '127.0.0.1', ['-Z']],
    ['dual allocations, send indications', '127.0.0.1', '127.0.0.1', ['-Z', '-s']],
    ['dual allocations that move', '127.0.0.1', '127.0.0.1', ['-Z', '-c', '-M']],
    ['a client that moves', '127.0.0.1', '127.0.0.1', ['-X', '-M']],
    ['a client that moves, by send indications', '::1', '::1', ['-x', '-s', '-M']],
  ]
  const needs6 = ([, host, peerAddress, flags]: (typeof modes)[number]) =>
    host === '::1' || peerAddress === '::1' || flags.includes('-Z')
  it.concurrent.each(modes.filter((mode) => has6 || !needs6(mode)))(
    'relays without loss: %s',
    async (_name, host, peerAddress, flags) => {
      const { code, output } = await client(host, peerAddress, flags)
      expect(output).toContain('Total lost packets 0 (0.000000%)')
      expect(code).toBe(0)
      // The client goes on with less where it has not got what it has asked for: so that has to be seen.
      if (flags.includes('-M')) expect(log).toContain('allocation moved')
      if (flags.includes('-Z')) expect(log).toMatch(/relayed="127\.0\.0\.1:\d+ \[::1\]:\d+"/)
    },
    240_000,
  )

  it('answers 420 to a client that forbids fragments, where the driver cannot', async () => {
    const plain = await startTurnpike(['--user', 'u:p', '--io', 'dgram'])
    const { output } = await start(
      'turnutils_uclient',
      [
        ...['-e', '127.0.0.1', '-r', `${peer.port}`, '-n', '1', '-u', 'u', '-w', 'p'],
        ...['-p', `${plain.port}`, '-X', '-c', '-g', '127.0.0.1'],
      ],
      { timeoutSeconds: 25 },
    ).ended
    await plain.stop()
    expect(output).toContain('error 420')
  }, 120_000)
})

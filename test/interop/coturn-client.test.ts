/** coturn's own client programs against `turnpike serve`, as a user would start both. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, freeUdpPort, run, start, startTurnpike } from '../support/programs.ts'

const programs = ['turnutils_uclient', 'turnutils_peer', 'turnutils_stunclient']
const missing = programs.filter((name) => run('sh', ['-c', `command -v ${name}`]).status !== 0)

if (missing.length > 0) {
  const what = `coturn's ${missing.join(', ')} not found: apt-get install coturn`
  if (process.env.CI === 'true') throw new Error(what)
  console.warn(`\n*** SKIPPED: interop with coturn's client. ${what}\n`)
}

describe.skipIf(missing.length > 0)('coturn client programs through turnpike', () => {
  let server: Child & { port: number }
  let peer: Child
  let peerPort: number

  beforeAll(async () => {
    peerPort = await freeUdpPort()
    peer = start('turnutils_peer', ['-L', '127.0.0.1', '-p', `${peerPort}`])
    server = await startTurnpike([
      ...['--user', 'u:p', '--allow-peer', '127.0.0.0/8', '--allow-legacy-channels'],
      ...['--unauthenticated-rate', '0'],
    ])
  })

  afterAll(async () => {
    await peer?.stop()
    await server?.stop()
  })

  const modes: [string, string[]][] = [
    ['channels', ['-X', '-c']],
    ['send indications', ['-X', '-c', '-s']],
    ['client to client by channels', ['-X', '-c', '-y', '-m', '4', '-l', '170', '-z', '15']],
    ['client to client by send indications', ['-X', '-c', '-y', '-s', '-m', '4', '-l', '170', '-z', '15']],
    ['no family asked for', ['-c']],
    ['extra requests', ['-X', '-c', '-G']],
    ['random disconnects', ['-X', '-c', '-B']],
    ['an even port and the next one, for RTCP', ['-X']],
  ]
  it.each(modes)(
    'relays without loss: %s',
    async (_name, flags) => {
      const { code, output } = await start(
        'turnutils_uclient',
        [
          ...['-e', '127.0.0.1', '-r', `${peerPort}`, '-n', '20', '-m', '2', '-u', 'u', '-w', 'p'],
          ...['-p', `${server.port}`, ...flags, '127.0.0.1'],
        ],
        { timeoutSeconds: 50 },
      ).ended
      expect(output).toContain('Total lost packets 0 (0.000000%)')
      expect(code).toBe(0)
    },
    60_000,
  )

  it('serves on after malformed and unexpected messages', async () => {
    // The client damages what it sends at random, and then may wait for ever for an answer that is not due.
    await start(
      'turnutils_uclient',
      [
        ...['-e', '127.0.0.1', '-r', `${peerPort}`, '-n', '20', '-m', '2', '-u', 'u', '-w', 'p'],
        ...['-p', `${server.port}`, '-X', '-c', '-R', '127.0.0.1'],
      ],
      { timeoutSeconds: 8 },
    ).ended
    const { output } = await start(
      'turnutils_uclient',
      [
        ...['-e', '127.0.0.1', '-r', `${peerPort}`, '-n', '5', '-u', 'u', '-w', 'p'],
        ...['-p', `${server.port}`, '-X', '-c', '127.0.0.1'],
      ],
      { timeoutSeconds: 50 },
    ).ended
    expect(output).toContain('Total lost packets 0 (0.000000%)')
  }, 60_000)

  it('refuses a second channel for one peer, as the client expects of a server', async () => {
    const { output } = await start(
      'turnutils_uclient',
      [
        ...['-e', '127.0.0.1', '-r', `${peerPort}`, '-n', '5', '-u', 'u', '-w', 'p'],
        ...['-p', `${server.port}`, '-X', '-c', '-N', '127.0.0.1'],
      ],
      { timeoutSeconds: 20 },
    ).ended
    expect(output).toContain('channel bind: error 400')
  })

  it('tells turnutils_stunclient its address', async () => {
    const { code, output } = await start('turnutils_stunclient', ['-p', `${server.port}`, '127.0.0.1'], {
      timeoutSeconds: 10,
    }).ended
    expect(output).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/)
    expect(code).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { startCli } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

describe('--signaling', () => {
  it('without a key, beyond loopback, is warned of; with loopback it is not', async () => {
    for (const [host, isWarned] of [
      ['0.0.0.0', true],
      ['127.0.0.1', false],
    ] as const) {
      const server = startCli([
        ...['serve', '--listen', 'udp://127.0.0.1:0', '--secret', 'not so secret'],
        ...['--signaling', `http://${host}:0`],
      ])
      await server.waitFor(/"event":"listening"/)
      const { code, stderr } = await server.stop()
      expect(code).toBe(0)
      expect(stderr.includes('everybody who joins is given TURN credentials')).toBe(isWarned)
    }
  })

  it.each([
    [['--signaling', 'ftp://x'], 'write http://127.0.0.1:3480'],
    [
      ['--signaling', 'http://127.0.0.1:0', '--user', 'a:b', '--listen', 'udp://127.0.0.1:0'],
      'it needs a --secret-file',
    ],
    [['--signaling-origin', 'app.example.org'], 'is not an origin'],
    [['--ice-url', 'turn://x'], 'there is no // after the turn:'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runMain(['serve', ...flags])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })
})

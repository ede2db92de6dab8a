/** `turnpike serve` with secrets in a file: who is served, and what the log says of the others. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Message } from '../../src/stun/message.ts'
import { sharedSecretPassword } from '../../src/turn/shared-secret.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { UdpRequests } from '../support/udp-requests.ts'

const secrets = ['newer-secret-of-two', 'older-secret-of-two']
const now = Math.trunc(Date.now() / 1000)

describe('Credentials of a running server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-credentials-'))
  const file = join(folder, 'secrets')
  let server: Child & { port: number }

  beforeAll(async () => {
    writeFileSync(file, `${secrets.join('\n')}\n`, { mode: 0o644 })
    server = await startTurnpike([
      ...['--secret-file', file, '--user', 'alice:wonder-of-wonders', '--log-format', 'json'],
      ...['--unauthenticated-rate', '0', '--alternate-server', 'tls://192.0.2.9:5349/turn2.example.org'],
    ])
  }, 60_000)

  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true })
  })

  async function allocate(name: string, password: string, from?: string): Promise<Message> {
    const requests = new UdpRequests(server.port, from)
    try {
      return await requests.allocate(name, password)
    } finally {
      requests.close()
    }
  }

  it('are a user\u2019s, and those that any secret of the file has made', async () => {
    expect((await allocate('alice', 'wonder-of-wonders')).class).toBe('success')
    for (const secret of secrets) {
      const name = `${now + 600}:bob`
      expect((await allocate(name, sharedSecretPassword(name, Buffer.from(secret)))).class).toBe('success')
    }
  }, 30_000)

  it('are told of when they are wrong, one line for each source, with the reason, and no line is broken by a name', async () => {
    const over = `${now - 1}:bob`
    const attempts: [string, string, string][] = [
      ['mallory\r\n{"level":"error"}', 'x', '127.0.0.21'],
      [over, sharedSecretPassword(over, Buffer.from(secrets[0]!)), '127.0.0.22'],
      ['alice', 'guess', '127.0.0.23'],
      ['alice', 'another guess', '127.0.0.23'],
    ]
    for (const [name, password, from] of attempts) {
      expect((await allocate(name, password, from)).get('ERROR-CODE')?.code).toBe(401)
    }
    await server.waitFor(/"reason":"wrong-password"/)
    const { stderr } = await server.stop()
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const failures = lines.filter(({ message }) => message === 'authentication failed')
    expect(failures.map(({ user, reason }) => [user, reason])).toEqual([
      [attempts[0]![0], 'unknown-user'],
      [over, 'expired'],
      ['alice', 'wrong-password'],
    ])
    expect(failures.map(({ client }) => client.split(':')[0])).toEqual([
      '127.0.0.21',
      '127.0.0.22',
      '127.0.0.23',
    ])
    // The file can be read by all, which is said; and no secret is.
    expect(lines.some(({ level, message }) => level === 'warn' && message.includes('chmod o-r'))).toBe(true)
    for (const secret of [...secrets, 'wonder-of-wonders', 'guess']) expect(stderr).not.toContain(secret)
  }, 30_000)
})

/** `turnpike serve` as a process, from its first line to its end. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { type Child, startCli, startTurnpike } from '../support/programs.ts'
import { type EchoPeer, RealClient, startEchoPeer } from '../support/real-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-serve-'))
const children: Child[] = []
afterAll(async () => {
  await Promise.all(children.map((child) => child.stop('SIGKILL')))
  rmSync(folder, { recursive: true })
})

async function serve(...flags: string[]): Promise<Child & { port: number }> {
  const child = await startTurnpike(flags)
  children.push(child)
  return child
}

function clientOf(port: number, username = 'alice', password = 'wonder'): RealClient {
  return new RealClient({
    transport: 'udp',
    server: { address: TransportAddress.of('127.0.0.1', port), name: 'localhost' },
    credentials: { username, password },
  })
}

/** Through the server to the peer and back. */
async function relay(client: RealClient, peer: EchoPeer): Promise<void> {
  client.connection.permit(peer.address)
  await client.until('permission-installed')
  await client.echo(peer.address, 'hello')
}

describe('turnpike serve', () => {
  it('prints one JSON line on stdout when it listens, and says there where', async () => {
    const child = await serve(
      ...['--user', 'alice:wonder', '--listen', 'udp://127.0.0.2:0', '--relay-address', '127.0.0.1'],
      ...['--external-address', '198.51.100.7', '--relay-ports', '50000-50999', '--log-level', 'silent'],
    )
    const { code, stdout, stderr } = await child.stop()
    expect([code, stderr]).toEqual([0, ''])
    const [line, ...more] = stdout.split('\n')
    expect(more).toEqual([''])
    expect(JSON.parse(line!)).toEqual({
      event: 'listening',
      listeners: [
        { transport: 'udp', address: '127.0.0.1', port: child.port },
        { transport: 'udp', address: '127.0.0.2', port: expect.any(Number) },
      ],
      relay: { addresses: [{ address: '127.0.0.1', external: '198.51.100.7' }], ports: '50000-50999' },
    })
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends clean by %s: every allocation is ended before',
    async (signal) => {
      const child = await serve(
        '--user',
        'alice:wonder',
        '--allow-peer',
        '127.0.0.0/8',
        '--log-format',
        'json',
      )
      const client = clientOf(child.port)
      await client.until('allocated')
      const { relayed } = client
      const { code, stderr } = await child.stop(signal)
      expect(code).toBe(0)
      const ended = stderr.split('\n').filter((line) => line.includes('allocation ended'))
      expect(ended).toHaveLength(1)
      expect(JSON.parse(ended[0]!)).toMatchObject({
        level: 'info',
        reason: 'shutdown',
        relayed: `${relayed}`,
      })
      client.connection.close()
    },
  )

  it('logs one JSON line at the start and one at the end of an allocation, on stderr', async () => {
    const peer = await startEchoPeer()
    const child = await serve('--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8', '--log-format', 'json')
    const client = clientOf(child.port)
    await relay(client, peer)
    const { relayed } = client
    await client.close()
    const { stderr, stdout } = await child.stop()
    peer.close()
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const about = lines.filter(({ message }) => message.startsWith('allocation'))
    expect(about).toMatchObject([
      {
        message: 'allocation started',
        user: 'alice',
        relayed: `${relayed}`,
        client: expect.stringMatching(/^127\.0\.0\.1:/),
      },
      {
        message: 'allocation ended',
        user: 'alice',
        relayed: `${relayed}`,
        reason: 'released',
        seconds: expect.any(Number),
      },
    ])
    expect(about[1].bytesFromClient).toBeGreaterThanOrEqual(5)
    expect(about[1].bytesToClient).toBeGreaterThanOrEqual(5)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stderr + stdout).not.toContain('wonder')
  })

  it('takes users from a file, where neither ps nor the log has their passwords', async () => {
    const users = join(folder, 'users')
    writeFileSync(users, '# people\nalice:wonder\n\nbob:0x00112233445566778899aabbccddeeff\n', {
      mode: 0o600,
    })
    const child = await serve('--user-file', users, '--allow-peer', '127.0.0.0/8')
    if (process.platform === 'linux') {
      expect(readFileSync(`/proc/${child.process.pid}/cmdline`, 'utf8')).not.toContain('wonder')
    }
    const client = clientOf(child.port)
    await client.until('allocated')
    await client.close()
    const { code, output } = await child.stop()
    expect(code).toBe(0)
    expect(output).not.toContain('wonder')
    expect(output).not.toContain('00112233')
  })

  it('without authentication relays for everybody, and warns', async () => {
    const peer = await startEchoPeer()
    const child = await serve('--no-auth', '--allow-peer', '127.0.0.0/8')
    const client = clientOf(child.port, 'anybody', 'at all')
    await relay(client, peer)
    await client.close()
    const { stderr } = await child.stop()
    peer.close()
    expect(stderr).toMatch(/warn .*no authentication/)
  })

  it('refuses a peer on loopback unless it is allowed', async () => {
    const child = await serve('--user', 'alice:wonder')
    const client = clientOf(child.port)
    client.connection.permit(TransportAddress.parse('127.0.0.3:9'))
    expect(await client.until('permission-refused')).toBeDefined()
    await client.close()
    expect((await child.stop()).code).toBe(0)
  })

  it('lives on when nobody reads its stdout and stderr any more', async () => {
    const child = await serve('--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8', '--log-level', 'debug')
    child.process.stdout?.destroy()
    child.process.stderr?.destroy()
    for (let i = 0; i < 3; i++) {
      const client = clientOf(child.port)
      await client.until('allocated')
      await client.close()
    }
    expect((await child.stop()).code).toBe(0)
  })
})

describe('turnpike serve --dev', () => {
  const startDev = () => {
    const flags = ['--dev', '--listen', 'udp://127.0.0.1:0', '--signaling', 'http://127.0.0.1:0']
    const child = startCli(['serve', ...flags])
    children.push(child)
    return child
  }

  it('serves loopback with a random user, and shows the JSON to paste and what to try next', async () => {
    const peer = await startEchoPeer()
    const child = startDev()
    const [line] = await child.waitFor(/^\{"event":"listening".*\}$/m)
    const [json] = await child.waitFor(/\{ "iceServers"[\s\S]*?\}\] \}/)
    const { iceServers } = JSON.parse(json)
    const { port } = JSON.parse(line).listeners[0]
    expect(iceServers).toEqual([
      {
        urls: [`stun:127.0.0.1:${port}`, `turn:127.0.0.1:${port}`],
        username: 'dev',
        credential: expect.stringMatching(/^[\w-]{12}$/),
      },
    ])
    const client = clientOf(port, 'dev', iceServers[0].credential)
    await relay(client, peer)
    await client.close()
    const { code, stderr } = await child.stop('SIGINT')
    peer.close()
    expect(code).toBe(0)
    expect(stderr).toContain(
      `turnutils_uclient -y -c -p ${port} -u dev -w ${iceServers[0].credential} 127.0.0.1`,
    )
    const screen = stderr.split('\n').filter((text) => !/^\d\d:\d\d:/.test(text))
    for (const text of screen) expect(text.length).toBeLessThanOrEqual(80)
  })

  it('has another password every time', async () => {
    const started = [startDev(), startDev()]
    const found = await Promise.all(started.map((child) => child.waitFor(/"credential": "(.*)"/)))
    expect(new Set(found.map(([, password]) => password)).size).toBe(2)
  })
})

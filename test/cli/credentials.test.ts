/** `turnpike credentials`: what it mints is accepted by turnpike and by coturn, and the secret is never shown. */

import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { promptSecret } from '../../src/cli/secret-input.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { startCoturn } from '../support/coturn-server.ts'
import { missingPrograms, startTurnpike } from '../support/programs.ts'
import { RealClient } from '../support/real-client.ts'
import { runMain } from '../support/run-main.ts'

const coturn = missingPrograms('credentials for coturn', ['turnserver'], 'apt-get install coturn')
const folder = mkdtempSync(join(tmpdir(), 'turnpike-credentials-'))
const secret = join(folder, 'secret')
writeFileSync(secret, 'north-star\n', { mode: 0o600 })
afterAll(() => rmSync(folder, { recursive: true }))

interface IceServer {
  readonly urls: readonly string[]
  readonly username?: string
  readonly credential?: string
}

async function mint(...args: readonly string[]): Promise<IceServer[]> {
  const { code, stdout, stderr } = await runMain(['credentials', ...args])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).not.toContain('north-star')
  return JSON.parse(stdout).iceServers
}

async function allocate(port: number, { username, credential }: IceServer): Promise<string> {
  const client = new RealClient({
    transport: 'udp',
    server: { address: TransportAddress.of('127.0.0.1', port), name: undefined },
    credentials: { username: username!, password: credential! },
  })
  await client.when(() => client.events.some(({ type }) => type === 'allocated' || type === 'failed'))
  const [event] = client.events
  if (event!.type === 'allocated') await client.close()
  return event!.type === 'failed' ? JSON.stringify(event!.failure) : event!.type
}

describe('turnpike credentials', () => {
  it('are iceServers, with the time and the user in the name', async () => {
    const before = Math.floor(Date.now() / 1000)
    const servers = await mint(
      ...['stun:a.example.org', 'turn:a.example.org', 'turns:a.example.org:443?transport=tcp'],
      ...['--secret-file', secret, '--user-id', 'bob', '--ttl', '2h'],
    )
    expect(servers).toEqual([
      { urls: ['stun:a.example.org'] },
      {
        urls: ['turn:a.example.org', 'turns:a.example.org:443?transport=tcp'],
        username: expect.stringMatching(/^\d+:bob$/),
        credential: expect.stringMatching(/^[\w+/]{27}=$/),
      },
    ])
    const until = Number.parseInt(servers[1]!.username!, 10)
    expect(until).toBeGreaterThanOrEqual(before + 7200)
    expect(until).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) + 7200)
  })

  it('are made with a secret from standard input', () => {
    const args = [
      'bin/turnpike.ts',
      'credentials',
      'turn:a.example.org',
      '--secret-file',
      '-',
      '--user-id',
      'bob',
    ]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      input: 'north-star\n',
    })
    expect([status, stderr]).toEqual([0, ''])
    const [{ username, credential }] = JSON.parse(stdout).iceServers
    expect(credential).toBe(createHmac('sha1', 'north-star').update(username).digest('base64'))
  })

  it('are accepted by turnpike, unless they were made with another secret', async () => {
    const server = await startTurnpike(['--secret-file', secret, '--log-level', 'silent'])
    const other = join(folder, 'other')
    writeFileSync(other, 'south\n', { mode: 0o600 })
    const uri = `turn:127.0.0.1:${server.port}`
    const [good] = await mint(uri, '--secret-file', secret, '--user-id', 'bob')
    const [bad] = await mint(uri, '--secret-file', other, '--user-id', 'bob')
    expect(await allocate(server.port, good!)).toBe('allocated')
    expect(await allocate(server.port, bad!)).toContain('401')
    await server.stop()
  })

  it.skipIf(coturn.length > 0)('are accepted by coturn', async () => {
    const server = await startCoturn(['--use-auth-secret', '--static-auth-secret=north-star'])
    const [minted] = await mint(`turn:127.0.0.1:${server.port}`, '--secret-file', secret, '--user-id', 'bob')
    expect(await allocate(server.port, minted!)).toBe('allocated')
    await server.stop()
  })

  it.each([
    [['credentials'], /missing required argument 'uri'/],
    [
      ['credentials', 'turn:a.example.org', '--secret-file', join(folder, 'none')],
      /cannot be read \(ENOENT\)/,
    ],
    [
      ['credentials', 'turn:a.example.org', '--secret-file', secret, '--ttl', 'soon'],
      /write 3600, 90m, 24h or 7d/,
    ],
    [
      ['credentials', 'turn:a.example.org', '--secret-file', secret, '--user-id', ''],
      /a user id is 1-400 characters/,
    ],
    [['credentials', 'http://a.example.org', '--secret-file', secret], /no \/\/|not a STUN or TURN URI/],
  ])('refuse %s', async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

describe('a prompt', () => {
  /** A keyboard on which somebody types this. */
  function typing(...chunks: readonly string[]) {
    const modes: boolean[] = []
    let isPaused = true
    return {
      modes,
      isTTY: true,
      setRawMode: (mode: boolean) => modes.push(mode),
      resume: () => {
        isPaused = false
      },
      pause: () => {
        isPaused = true
      },
      get isPaused() {
        return isPaused
      },
      on: (_: 'data', listener: (chunk: Uint8Array) => void) => {
        queueMicrotask(() => {
          for (const chunk of chunks) listener(Buffer.from(chunk))
        })
      },
      off: () => {},
    }
  }

  it.each([
    ['what is typed', ['won', 'der\r'], 'wonder'],
    ['what is left after corrections', ['wom\u007fnder\n'], 'wonder'],
    ['nothing after Ctrl-C', ['won\u0003'], undefined],
  ])('gives %s, and shows none of it', async (_, chunks, expected) => {
    const keyboard = typing(...chunks)
    const written: string[] = []
    const screen = { write: (text: string) => written.push(text) }
    expect(await promptSecret('Password: ', keyboard, screen)).toBe(expected)
    expect(written).toEqual(['Password: ', '\n'])
    expect([keyboard.modes, keyboard.isPaused]).toEqual([[true, false], true])
  })

  it('is not for programs', async () => {
    expect(await promptSecret('Password: ', { ...typing(), isTTY: false }, { write: () => {} })).toBe(
      undefined,
    )
  })
})

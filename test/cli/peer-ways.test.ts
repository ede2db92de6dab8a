/** `turnpike peer` without a signaling server: WHIP, WHEP and copy and paste, each side a process. */

import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { startCli } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

describe('turnpike peer over HTTP', { timeout: 240_000 }, () => {
  it('publishes to an endpoint of its own kind, and plays from it', async () => {
    const endpoint = startCli(['peer', '--serve', 'http://127.0.0.1:0', '--json'])
    const [line] = await endpoint.waitFor(/^\{"event":"serving".*\}$/m)
    const { whip, whep } = JSON.parse(line)
    const publisher = startCli(['peer', '--whip', whip, '--video', 'test', '--audio', 'test'])
    await publisher.waitFor(/^connected: /m)
    const player = startCli(['peer', '--whep', whep, '--no-trickle', '--stats'])
    // A rate above nothing: what is published arrives.
    await player.waitFor(/ down [1-9]\d* kbit\/s/)
    expect(await player.stop('SIGINT')).toMatchObject({ code: 0 })
    expect(await publisher.stop('SIGINT')).toMatchObject({ code: 0 })
    const { code, stdout } = await endpoint.stop('SIGINT')
    expect(code).toBe(0)
    expect(stdout.match(/"reason":"the client has ended it"/g)).toHaveLength(2)
  })

  it('tells what the endpoint says against it', async () => {
    const { code, stderr } = await startCli(['peer', '--whep', 'http://127.0.0.1:9/whep']).ended
    expect(code).toBe(1)
    expect(stderr).toContain('turnpike: http://127.0.0.1:9/whep cannot be reached')
  })
})

describe('turnpike peer --paste', { timeout: 240_000 }, () => {
  it('connects two processes by two lines that are carried over by hand', async () => {
    const [ann, bob] = [paste('--say', 'hello Bob'), paste('--echo')]
    const invitation = await ann.event('invitation')
    await bob.event('invitation')
    bob.process.stdin.write('nonsense\n')
    expect(await bob.event('not used')).toMatchObject({ why: expect.stringContaining('does not begin') })
    bob.process.stdin.write(`${invitation.text}\n`)
    const answer = await bob.event('answer')
    ann.process.stdin.write(`${answer.text}\n`)
    expect(await ann.event('message')).toMatchObject({ text: 'hello Bob' })
    ann.process.kill('SIGINT')
    expect(await ann.code).toBe(0)
    expect(await bob.code).toBe(0)
  })

  it('goes on with the call at the side that has answered, until it is stopped', async () => {
    const [ann, bob] = [paste('--echo'), paste('--video', 'test', '--stats')]
    const invitation = await ann.event('invitation')
    await bob.event('invitation')
    bob.process.stdin.write(`${invitation.text}\n`)
    const answer = await bob.event('answer')
    ann.process.stdin.write(`${answer.text}\n`)
    await ann.event('connected')
    await bob.event('connected')
    // Told once a second for as long as the call lasts.
    expect(await bob.event('stats","state":"connected')).toMatchObject({ state: 'connected' })
    expect(bob.seen('ended')).toBe(false)
    bob.process.kill('SIGINT')
    expect(await bob.code).toBe(0)
    await ann.event('ended')
    expect(await ann.code).toBe(0)
  })

  it('fails when its input ends before anything was pasted', async () => {
    const { code, stderr } = await startCli(['peer', '--paste']).ended
    expect(code).toBe(1)
    expect(stderr).toContain('turnpike: nothing was pasted')
  })
})

describe('turnpike peer', () => {
  it.each([
    [['peer', '--paste', '--whip', 'http://x/'], '--whip and --paste are two ways'],
    [['peer', '--whip', 'http://x/'], 'give --video or --audio'],
    [['peer', '--whep', 'http://x/', '--audio', 'test'], 'leave out --video and --audio'],
    [['peer', '--whip', 'ws://x/', '--audio', 'test'], 'write http://127.0.0.1:8080'],
    [['peer', '--paste', '--ice-server', 'http://x'], 'stun'],
    [['peer', '--paste', '--ice-server', 'turn:127.0.0.1'], 'give --user and --password-file'],
    [['peer', '--serve', 'https://127.0.0.1:0'], 'put a server with TLS before it'],
  ])('refuses %j', { timeout: 120_000 }, async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

/** With a stdin that the test writes to, and its JSON lines as events. */
function paste(...flags: string[]) {
  const child = spawn(process.execPath, ['bin/turnpike.ts', 'peer', '--paste', '--json', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const limit = setTimeout(() => child.kill('SIGKILL'), 200_000)
  let stdout = ''
  const watchers = new Set<() => void>()
  child.stdout.on('data', (chunk) => {
    stdout += chunk
    for (const watcher of watchers) watcher()
  })
  const code = new Promise<number | null>((resolve) => {
    child.on('close', (value) => {
      clearTimeout(limit)
      resolve(value)
    })
  })
  const event = (name: string) =>
    new Promise<Record<string, string>>((resolve) => {
      const watcher = () => {
        const line = stdout
          .split('\n')
          .slice(0, -1)
          .find((text) => text.startsWith(`{"event":"${name}"`))
        if (line === undefined) return
        watchers.delete(watcher)
        resolve(JSON.parse(line))
      }
      watchers.add(watcher)
      watcher()
    })
  const seen = (name: string) => stdout.includes(`{"event":"${name}"`)
  return { process: child, code, event, seen }
}

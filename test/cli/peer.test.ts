/** `turnpike peer` as two people would run it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, startCli } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

describe('turnpike peer', { timeout: 120_000 }, () => {
  let server: Child
  let signal: string

  beforeAll(async () => {
    const flags = ['--dev', '--signaling', 'http://127.0.0.1:0', '--listen', 'udp://127.0.0.1:0']
    server = startCli(['serve', ...flags], { timeoutSeconds: 600 })
    const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
    signal = `ws://127.0.0.1:${JSON.parse(line).signaling.port}/signaling`
  })

  afterAll(() => server.stop())

  const peer = (...flags: string[]) => startCli(['peer', '--signal', signal, ...flags])
  const eventsOf = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

  it('calls a peer that comes later, chats, and ends with the call', async () => {
    const caller = peer('--room', 'r', '--name', 'Ann', '--call', 'Bob', '--say', 'hello Bob', '--json')
    await caller.waitFor(/"event":"joined"/)
    const callee = peer('--room', 'r', '--name', 'Bob', '--echo')
    await caller.waitFor(/"event":"message","from":"Bob","text":"hello Bob"/)
    const bob = await callee.stop('SIGINT')
    expect(bob.code).toBe(0)
    expect(bob.stderr).toContain('message: Ann, hello Bob')
    const ann = await caller.ended
    expect(ann.code).toBe(0)
    // The room tells that Bob left whenever it learns of it, before the call ends or after.
    const events = eventsOf(ann.stdout).map(({ event }) => event)
    expect(events.filter((event) => event !== 'peer-left')).toEqual([
      'joined',
      'peer-joined',
      'calling',
      'connected',
      'message',
      'ended',
    ])
  })

  it('sends the test card, and tells how the call is doing', async () => {
    const { code, stderr } = await peer(
      ...['--call', 'any', '--video', 'test', '--audio', 'test', '--relay-only', '--stats', '--seconds', '5'],
    ).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/connected {2}relayed.* up \d+ kbit\/s {2}down \d+ kbit\/s {2}lost \d+/)
  })

  it('says who declined, and fails', async () => {
    const busy = peer('--room', 'busy', '--name', 'Busy', '--call', 'nobody')
    await busy.waitFor(/joined room busy/)
    const { code, stderr } = await peer('--room', 'busy', '--call', 'Busy').ended
    expect(code).toBe(1)
    expect(stderr).toContain('turnpike: Busy declined: takes no calls')
    await busy.stop()
  })

  it.each([
    [['peer', '--signal', 'http://x'], 'write ws://127.0.0.1:3480/signaling'],
    [['peer'], 'how to reach a peer is missing'],
    [['peer', '--signal', 'ws://x/', '--echo', '--video', 'test'], 'leave out --video and --audio'],
    [['peer', '--signal', 'ws://x/', '--seconds', '0'], 'is not a whole number of seconds'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runMain(args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  it('fails when the server is out of reach, or the file cannot be sent', async () => {
    const unreachable = startCli(['peer', '--signal', 'ws://127.0.0.1:9/signaling'])
    const { code, stderr } = await unreachable.ended
    expect(code).toBe(1)
    expect(stderr).toContain('cannot join ws://127.0.0.1:9/signaling: no connection within 10 s')
    const nothing = await peer('--video', 'nothing.webm').ended
    expect(nothing.code).toBe(1)
    expect(nothing.stderr).toContain('"nothing.webm" cannot be sent: cannot be read (ENOENT)')
  })
})

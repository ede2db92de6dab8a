import { describe, expect, it } from 'vitest'
import { openFilesAllowed, openFilesNeeded } from '../../src/server/open-files.ts'
import { start } from '../support/programs.ts'

const config = (min: number, max: number, totalQuota = 0) => ({ relayPorts: { min, max }, totalQuota })

describe('The open files that relaying needs', () => {
  it.each([
    ['a port each', config(50_000, 50_999), 1, 1100],
    ['at each relay address', config(50_000, 50_999), 2, 2100],
    ['no more than the quota of all users has it', config(49_152, 65_535, 200), 1, 300],
    ['two for an allocation of both families', config(49_152, 65_535, 200), 2, 500],
    ['no more than there are ports', config(50_000, 50_009, 200), 1, 110],
  ])('are %s', (_name, given, relayAddresses, needed) => {
    expect(openFilesNeeded(given, relayAddresses)).toBe(needed)
  })
})

describe('The open files that a process may have', () => {
  it.each([
    ['Max open files            1024                 524288               files     \n', 1024],
    ['Max processes  1  1  processes\nMax open files   unlimited   unlimited   files\n', undefined],
    ['', undefined],
  ])('are read from %j', (limits, allowed) => {
    expect(openFilesAllowed(limits)).toBe(allowed)
  })
})

describe.skipIf(process.platform !== 'linux')('turnpike serve under a limit of 1,000 open files', () => {
  it.each([
    [
      '50000-59999',
      'may take 10100 open files, and this process may have 1000: raise that (ulimit -n 10100;',
    ],
    ['50000-50799', undefined],
  ])('with --relay-ports %s: warned with %j', async (ports, warning) => {
    const flags = ['--listen', 'udp://127.0.0.1:0', '--user', 'a:b', '--relay-ports', ports]
    const child = start('sh', [
      ...['-c', 'ulimit -n 1000 && exec "$0" "$@"', process.execPath, 'bin/turnpike.ts', 'serve', ...flags],
    ])
    await child.waitFor(/"event":"listening"/)
    const { code, stderr } = await child.stop()
    expect(code).toBe(0)
    if (warning === undefined) expect(stderr).not.toContain('open files')
    else expect(stderr).toContain(warning)
  })
})

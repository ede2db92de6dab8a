/** What the command line loads before it knows what is asked for, and what becomes of faults of its own. */

import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { runMain } from '../support/run-main.ts'

afterEach(() => vi.restoreAllMocks())

/** Everything that importing the file imports; not what it imports when it runs, and no types. */
function importsOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  if (!file.startsWith('src/')) return found
  const imports = /(?:^|\n)\s*(?:import|export)\s(?!type\s)(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/g
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(imports)) {
    const isFile = specifier!.startsWith('.')
    importsOf(isFile ? relative('.', resolve(dirname(file), specifier!)) : specifier!, found)
  }
  return found
}

describe('what is loaded', () => {
  it('to say which commands there are, is none of them', () => {
    expect([...importsOf('src/cli/main.ts')].sort()).toEqual([
      'commander',
      'node:fs',
      'src/cli/commands.ts',
      'src/cli/exit-codes.ts',
      'src/cli/main.ts',
      'src/cli/version.ts',
      'src/core/errors.ts',
    ])
  })

  it.each(commands.map(({ name }) => name))('for the flags of %s, is nothing that opens a socket', (name) => {
    const loaded = [...importsOf(`src/cli/${name}.ts`)]
    const heavy = loaded.filter((file) => /^(src\/(net|peer|signaling|sim)\/|werift|ws$|node:net)/.test(file))
    expect(heavy).toEqual([])
  })
})

describe('the command line', () => {
  it('lists every command with what it is for', async () => {
    const { code, stdout } = await runMain(['--help'])
    expect(code).toBe(0)
    for (const { name, description } of commands) {
      expect(stdout.replace(/\s+/g, ' ')).toContain(`${name} ${description}`.slice(0, 60))
    }
  })

  it.each(commands.map(({ name }) => name))('knows the flags of %s', async (name) => {
    const { code, stdout } = await runMain([name, '--help'])
    expect([code, stdout.startsWith(`Usage: turnpike ${name} [options]`)]).toEqual([0, true])
    expect((await runMain(['help', name])).stdout).toBe(stdout)
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('suggests what may have been meant, and ends with 2', async () => {
    const { code, stderr } = await runMain(['prdict'])
    expect(code).toBe(2)
    expect(stderr).toContain('Did you mean predict?')
  })

  it('ends with 70 for a fault of its own, and shows where', async () => {
    vi.spyOn(commands.find(({ name }) => name === 'nat')!, 'load').mockRejectedValue(new TypeError('oops'))
    const { code, stderr } = await runMain(['nat'])
    expect(code).toBe(70)
    expect(stderr).toMatch(/a fault of its own, please report it:\nTypeError: oops\n {4}at /)
  })
})

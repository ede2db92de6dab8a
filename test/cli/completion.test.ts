/** `turnpike completion`: the shells complete what commander knows, bash by trying it. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { missingPrograms } from '../support/programs.ts'
import { runMain } from '../support/run-main.ts'

const bash = missingPrograms('completion in bash', ['bash'], 'apt-get install bash')
const folder = mkdtempSync(join(tmpdir(), 'turnpike-completion-'))
const script = join(folder, 'turnpike')
afterAll(() => rmSync(folder, { recursive: true }))

/** What bash offers at the end of this line. */
function complete(...line: readonly string[]): string[] {
  const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _turnpike; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', program, 'bash', script, ...line], {
    encoding: 'utf8',
    cwd: folder,
  })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

describe.skipIf(bash.length > 0)('in bash', () => {
  beforeAll(async () => {
    writeFileSync(script, (await runMain(['completion', 'bash'])).stdout)
    writeFileSync(join(folder, 'users.txt'), '')
  })

  it('commands', () => {
    expect(complete('turnpike', '').sort()).toEqual(
      [...commands.map(({ name }) => name), 'help', '--version', '-V', '--help'].sort(),
    )
    expect(complete('turnpike', 'pre')).toEqual(['predict'])
    expect(complete('turnpike', 'help', 'na')).toEqual(['nat'])
  })

  it('the flags of a command', () => {
    expect(complete('turnpike', 'serve', '--relay-')).toEqual(['--relay-address', '--relay-ports'])
    expect(complete('turnpike', 'serve', '--user', 'a:b', '--no-')).toEqual(['--no-auth'])
    expect(complete('turnpike', 'check', '--pa')).toEqual(['--password-file', '--password'])
  })

  it('the values of a flag', () => {
    expect(complete('turnpike', 'serve', '--io', '')).toEqual(['auto', 'mmsg', 'dgram'])
    expect(complete('turnpike', 'serve', '--user-file', 'us')).toEqual(['users.txt'])
    expect(complete('turnpike', 'serve', '--listen', '')).toEqual([])
    expect(complete('turnpike', 'completion', 'f')).toEqual(['fish'])
  })
})

describe('in every shell', () => {
  it.each(['bash', 'zsh', 'fish'])('%s hears of every command and its flags', async (shell) => {
    const { code, stdout } = await runMain(['completion', shell])
    expect(code).toBe(0)
    for (const { name } of commands) expect(stdout).toContain(name)
    for (const flag of ['password-file', 'relay-ports', 'anonymize']) expect(stdout).toContain(flag)
  })

  it('another one is refused by name', async () => {
    const { code, stderr } = await runMain(['completion', 'csh'])
    expect(stderr).toMatch(/'csh' is invalid.*bash, zsh, fish/)
    expect(code).toBe(2)
  })
})

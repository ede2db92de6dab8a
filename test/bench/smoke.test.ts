/** Each of the benchmarks that `npm run bench` runs, in its smallest form: it ends, with its tables, and writes nothing. */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { libcFor } from '../support/libc.ts'

const run = promisify(execFile)
const results = () => readFileSync('bench/RESULTS.md', 'utf8')
let before = ''
beforeAll(() => {
  before = results()
})
afterAll(() => expect(results()).toBe(before))

async function bench(...args: string[]): Promise<string> {
  const { stderr } = await run(process.execPath, ['bench/main.ts', ...args])
  return stderr
}

describe('npm run bench', () => {
  it('says which benchmarks there are', async () => {
    await expect(bench('nothing')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^no benchmark is called "nothing"; there are: .*hot-path.*relay/),
    })
  })

  it('-- hot-path --quick measures every operation', async () => {
    const output = await bench('hot-path', '--quick')
    for (const operation of ['route look-up', 'ChannelData in', 'ChannelData out', 'permission check'])
      expect(output).toMatch(new RegExp(`^100 allocations, 100 busy: ${operation}.* \\d+ ns`, 'm'))
  })

  // The load is made with system calls of its own, on a core of its own.
  it.skipIf(typeof libcFor('npm run bench') === 'string' || cpus().length < 2)(
    '-- relay --quick judges both drivers',
    async () => {
      const output = await bench('relay', '--quick', '--only', '200 quiet flows, both ways')
      // One that is not there, or whose port somebody else was quicker to take, is left out, and it is said why.
      for (const server of [
        'turnpike, mmsg',
        'turnpike, dgram',
        'coturn',
        'npm turn-server',
        'node:dgram alone',
      ])
        expect(output).toMatch(new RegExp(`^(\\| ${server} +\\| +[\\d,]+ \\||${server}: )`, 'm'))
      expect(output).toMatch(/^\| 200 quiet flows, both ways: dgram +\| ≥ 1\.30 × npm turn-server \|/m)
    },
    300_000,
  )
})

/** A server whose main thread dies ends as a process, whatever its other threads are waiting for: or nobody would start it anew. */

import { isBuiltin } from 'node:module'
import { expect, it } from 'vitest'
import { start } from '../support/programs.ts'

const hasMmsg = process.platform === 'linux' && isBuiltin('node:ffi')

it.each(hasMmsg ? ['dgram', 'mmsg'] : ['dgram'])(
  'a fault in the main thread ends a server whose thread waits for packets by %s',
  async (io) => {
    const { code, stdout, stderr } = await start(process.execPath, ['test/server/crash.ts', io]).ended
    expect(stdout).toBe(`serving by ${io}\n`)
    expect(stderr).toContain('a fault in the main thread')
    expect(stderr).not.toContain('*** killed')
    expect(code).toBe(1)
  },
)

/** The command line inside of this process, with what it writes caught. */

import { vi } from 'vitest'
import { main } from '../../src/cli/main.ts'

export interface MainResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Limit: a command line that is refused is refused at once. */
const limitMs = 60_000

/**
 * For command lines that end by themselves: what is wrong with them is found out before anything is opened. A server
 * that has started all the same is ended, and the promise rejects.
 */
export async function runMain(args: readonly string[]): Promise<MainResult> {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      written[name] += chunk
      return true
    }),
  )
  // What a log hears of its stream is for the life of a process.
  const listeners = process.stderr.listeners('error')
  let hasHung = false
  const limit = setTimeout(() => {
    hasHung = true
    process.emit('SIGTERM')
  }, limitMs)
  try {
    const code = await main(args)
    if (hasHung) throw new Error(`turnpike ${args.join(' ')} has run on: ${written.stdout}${written.stderr}`)
    return { code, ...written }
  } finally {
    clearTimeout(limit)
    for (const listener of process.stderr.listeners('error')) {
      if (!listeners.includes(listener)) process.stderr.off('error', listener as () => void)
    }
    for (const spy of spies) spy.mockRestore()
  }
}

/** The command line inside of this process, with what it writes caught. */

import { vi } from 'vitest'
import { main } from '../../src/cli/main.ts'

export interface MainResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** For command lines that end by themselves: what is wrong with them is found out before anything is opened. */
export async function runMain(args: readonly string[]): Promise<MainResult> {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      written[name] += chunk
      return true
    }),
  )
  try {
    return { code: await main(args), ...written }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

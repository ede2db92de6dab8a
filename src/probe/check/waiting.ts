/** Waiting for handlers within a run: each wait has a limit, and ends with the run. */

import type { Run } from '../run.ts'

/** What `begin` calls back with first; 'late' when the time or the run ends before. */
export function settled<Value>(
  run: Run,
  limitMs: number,
  begin: (done: (value: Value) => void) => void,
): Promise<Value | 'late'> {
  return new Promise((resolve) => {
    begin(resolve)
    void run.sleep(limitMs).then(() => resolve('late'))
  })
}

/** Milliseconds since then, to the hundredth. */
export function since(run: Run, startMs: number): number {
  return Math.round((run.elapsedMs - startMs) * 100) / 100
}

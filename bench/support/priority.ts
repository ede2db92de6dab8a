import { spawnSync } from 'node:child_process'

/**
 * Goes before a command: before others on a shared machine, where that is allowed. Milliseconds are measured, not who else
 * is at work.
 */
export const realTimePriority: readonly string[] =
  spawnSync('chrt', ['-r', '1', 'true']).status === 0 ? ['chrt', '-r', '1'] : []

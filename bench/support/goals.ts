/** What is asked of a benchmark, beside what it has come to. */

import { table } from './results.ts'

export interface Goal {
  readonly what: string
  readonly asked: string
  readonly reached: string
  readonly isReached: boolean
}

export function goalTable(goals: readonly Goal[]): string {
  return table(
    ['asked of', 'asked', 'measured', 'reached'],
    goals.map(({ what, asked, reached, isReached }) => [what, asked, reached, isReached ? 'yes' : '**no**']),
  )
}

/** What `turnpike selftest` has found: one thing that a deployment needs, whether it is there, and what helps. */

export type DeploymentCheck =
  | 'configuration'
  | 'listen'
  | 'receive-buffer'
  | 'relay'
  | 'certificate'
  | 'open-files'
  | 'alternates'
  | 'partner'

export interface DeploymentFinding {
  readonly check: DeploymentCheck
  readonly where: string
  /** null: it may become a fault, or could not be found out. */
  readonly isOk: boolean | null
  readonly what: string
  /** What helps; null where nothing has to. */
  readonly cure: string | null
}

export function finding(
  check: DeploymentCheck,
  where: string,
  isOk: boolean | null,
  what: string,
  cure: string | null,
): DeploymentFinding {
  return { check, where, isOk, what, cure }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Roles and their conflicts (RFC 8445 §6.1.1, §7.3.1.1). */

export type IceRole = 'controlling' | 'controlled'

export function otherRole(role: IceRole): IceRole {
  return role === 'controlling' ? 'controlled' : 'controlling'
}

export type RoleVerdict = 'no-conflict' | 'switch' | 'refuse'

/**
 * What to do about a request that claims `claimed` with `theirs` as tiebreaker: the larger tiebreaker is to be
 * controlling, and of equal ones the receiver of the request (RFC 8445 §7.3.1.1).
 */
export function resolveRole(role: IceRole, ours: bigint, claimed: IceRole, theirs: bigint): RoleVerdict {
  if (role !== claimed) return 'no-conflict'
  const weControl = ours >= theirs
  if (role === 'controlling') return weControl ? 'refuse' : 'switch'
  return weControl ? 'switch' : 'refuse'
}

/** The policy that is taken unless an agent is given another one. */

import type { IcePolicy } from './policy.ts'
import { defaultNextCheck } from './policy-checks.ts'
import { defaultNominate, defaultShouldSwitch } from './policy-nomination.ts'

export const defaultPolicy: IcePolicy = {
  nextCheck: defaultNextCheck,
  nominate: defaultNominate,
  shouldSwitch: defaultShouldSwitch,
  prune: () => [],
}

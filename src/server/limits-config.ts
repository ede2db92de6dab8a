/** How long things last, and how much of them there may be. */

import { TurnpikeError } from '../core/errors.ts'
import { defaultLimits, type ServerLimits } from '../turn/options.ts'

export type LimitsConfig = ServerLimits

export const defaultLimitsConfig: LimitsConfig = { ...defaultLimits, unauthenticatedRate: 100 }

/** Throws `configuration-invalid`. A maximum below the default lifetime is what that is cut to, unless both are given. */
export function checkLimits({ defaultLifetime, maxLifetime }: LimitsConfig): void {
  if (defaultLifetime > maxLifetime && defaultLifetime !== defaultLimits.defaultLifetime) {
    throw new TurnpikeError(
      'configuration-invalid',
      `--default-lifetime ${defaultLifetime} is longer than --max-lifetime ${maxLifetime}`,
    )
  }
}

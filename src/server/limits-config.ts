/** How long things last, and how much of them there may be. */

export interface LimitsConfig {
  readonly maxLifetime: number
  readonly nonceLifetime: number
  readonly unauthenticatedRate: number
}

export const defaultLimitsConfig: LimitsConfig = {
  maxLifetime: 3600,
  nonceLifetime: 600,
  unauthenticatedRate: 100,
}

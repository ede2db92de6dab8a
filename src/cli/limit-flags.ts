/** The flags of `turnpike serve` that say how long things last, and how much of them there may be. */

import type { Command } from 'commander'
import { defaultLimitsConfig, type LimitsConfig } from '../server/limits-config.ts'
import { integerBetween } from './parse-options.ts'

export type LimitFlags = LimitsConfig

export function addLimitFlags(command: Command): Command {
  const { maxLifetime, nonceLifetime, unauthenticatedRate } = defaultLimitsConfig
  return command
    .option(
      '--max-lifetime <seconds>',
      'the longest lifetime of an allocation',
      integerBetween(60, 86_400, 'seconds'),
      maxLifetime,
    )
    .option(
      '--nonce-lifetime <seconds>',
      'how long a nonce is good for',
      integerBetween(10, 3600, 'seconds'),
      nonceLifetime,
    )
    .option(
      '--unauthenticated-rate <n>',
      'answers a second to one /32 or /64 before it has shown credentials; 0 is no limit',
      integerBetween(0, 1_000_000, 'answers a second'),
      unauthenticatedRate,
    )
}

export function limitsConfigOf(flags: LimitFlags): LimitsConfig {
  return {
    maxLifetime: flags.maxLifetime,
    nonceLifetime: flags.nonceLifetime,
    unauthenticatedRate: flags.unauthenticatedRate,
  }
}

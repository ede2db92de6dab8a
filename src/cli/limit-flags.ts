/** The flags of `turnpike serve` that say how long things last, and how much of them there may be. */

import type { Command } from 'commander'
import { defaultLimitsConfig, type LimitsConfig } from '../server/limits-config.ts'
import { limitsOf } from '../turn/options.ts'
import { integerBetween, parseByteRate } from './parse-options.ts'

type RateName = 'maxBytesPerSecond' | 'userMaxBytesPerSecond' | 'totalMaxBytesPerSecond'

/** The limits by name, but that rates are called as people know them. */
export interface LimitFlags extends Omit<LimitsConfig, RateName> {
  readonly maxBps: number
  readonly userMaxBps: number
  readonly totalMaxBps: number
}

const seconds = (minimum: number, maximum: number) => integerBetween(minimum, maximum, 'seconds')
const day = 86_400

export function addLimitFlags(command: Command): Command {
  const limits = defaultLimitsConfig
  return command
    .option(
      '--user-quota <n>',
      'allocations that a user has at a time, reservations included; 0 is no limit',
      integerBetween(0, 1_000_000, 'allocations'),
      limits.userQuota,
    )
    .option(
      '--total-quota <n>',
      'allocations that all users have at a time; 0 is no limit',
      integerBetween(0, 1_000_000, 'allocations'),
      limits.totalQuota,
    )
    .option(
      '--max-permissions <n>',
      'permissions of one allocation',
      integerBetween(1, 65_536, 'permissions'),
      limits.maxPermissions,
    )
    .option(
      '--max-channels <n>',
      'channels of one allocation',
      integerBetween(1, 16_384, 'channels'),
      limits.maxChannels,
    )
    .option(
      '--max-bps <bytes>',
      'bytes a second of one allocation, in each direction; more is dropped; also 500kB, 4Mbit; 0 is no limit',
      parseByteRate,
      limits.maxBytesPerSecond,
    )
    .option(
      '--user-max-bps <bytes>',
      'likewise of all allocations of a user',
      parseByteRate,
      limits.userMaxBytesPerSecond,
    )
    .option(
      '--total-max-bps <bytes>',
      'likewise of all allocations',
      parseByteRate,
      limits.totalMaxBytesPerSecond,
    )
    .option(
      '--max-lifetime <seconds>',
      'the longest lifetime of an allocation',
      seconds(60, day),
      limits.maxLifetime,
    )
    .option(
      '--default-lifetime <seconds>',
      'the lifetime of an allocation that asks for none, or less',
      seconds(10, day),
      limits.defaultLifetime,
    )
    .option(
      '--permission-lifetime <seconds>',
      'the lifetime of a permission; clients count on 300',
      seconds(10, day),
      limits.permissionLifetime,
    )
    .option(
      '--channel-lifetime <seconds>',
      'the lifetime of a channel; clients count on 600',
      seconds(10, day),
      limits.channelLifetime,
    )
    .option(
      '--nonce-lifetime <seconds>',
      'how long a nonce is good for',
      seconds(10, 3600),
      limits.nonceLifetime,
    )
    .option(
      '--unauthenticated-rate <n>',
      'answers a second to one /32 or /64 before it has shown credentials; 0 is no limit',
      integerBetween(0, 1_000_000, 'answers a second'),
      limits.unauthenticatedRate,
    )
}

export function limitsConfigOf(flags: LimitFlags): LimitsConfig {
  return limitsOf({
    ...flags,
    maxBytesPerSecond: flags.maxBps,
    userMaxBytesPerSecond: flags.userMaxBps,
    totalMaxBytesPerSecond: flags.totalMaxBps,
  })
}

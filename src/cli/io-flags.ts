/** The flags of `turnpike serve` that say how packets get in and out, and over how many threads. */

import { type Command, InvalidArgumentError, Option } from 'commander'
import { defaultIoConfig, type IoConfig, ioChoices } from '../server/io-config.ts'
import { integerBetween } from './parse-options.ts'

export type IoFlags = IoConfig

export function addIoFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--io <driver>',
        'batched system calls (mmsg, Linux), plain ones (dgram), or the best that works (auto)',
      )
        .choices([...ioChoices])
        .default(defaultIoConfig.io),
    )
    .addOption(
      new Option('--workers <n>', 'threads that serve UDP, or auto: one for each processor')
        .argParser(parseWorkers)
        .default(defaultIoConfig.workers),
    )
}

export function ioConfigOf({ io, workers }: IoFlags): IoConfig {
  return { io, workers }
}

/** 0 stands for `auto`. */
function parseWorkers(text: string): number {
  if (text === 'auto') return 0
  try {
    return integerBetween(1, 64, 'workers')(text)
  } catch {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is neither auto nor a whole number from 1 to 64`)
  }
}

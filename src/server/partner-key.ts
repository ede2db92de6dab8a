/** The key that two partners share, from a file: read at start, and again when the operator says so. */

import { readFileSync, statSync } from 'node:fs'
import { TurnpikeError } from '../core/errors.ts'
import type { AlternateConfig } from './alternate-config.ts'
import type { Log } from './log.ts'
import type { PartnerLinks } from './partner-links.ts'

/** What `openssl rand -hex 32` makes is twice as long. */
export const leastKeyBytes = 32

/**
 * One key a line: the first signs, each is accepted, so that a new one can be brought to both machines before it is used.
 * Throws `configuration-invalid`; `warn` hears of a file that others may read.
 */
export function readPartnerKeys(file: string, warn: (message: string) => void): readonly Uint8Array[] {
  const name = `--partner-key ${JSON.stringify(file)}`
  const keys = readText(file, name, warn)
    .split(/\r?\n/)
    .map((line) => new TextEncoder().encode(line.trim()))
    .filter(({ length }) => length > 0)
  if (keys.length === 0) throw invalid(`${name} has no key in it: ${cure}`)
  for (const [index, { length }] of keys.entries()) {
    if (length >= leastKeyBytes) continue
    throw invalid(
      `${name}: key ${index + 1} has ${length} bytes, and ${leastKeyBytes} are the least: ${cure}`,
    )
  }
  return keys
}

/** Takes what the file says now. What is wrong with it is logged, and the old keys go on; so does the link, in any case. */
export function reloadPartnerKeys(
  { partnerKeyFile }: Pick<AlternateConfig, 'partnerKeyFile'>,
  links: PartnerLinks,
  log: Log,
): void {
  if (partnerKeyFile === undefined) return
  try {
    const keys = readPartnerKeys(partnerKeyFile, (message) => log.warn(message))
    links.setKeys(keys)
    log.info('partner key reloaded', { keys: keys.length })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warn('partner key not reloaded, the old one stays in use', { reason })
  }
}

const cure = 'make one with "openssl rand -hex 32" and give it to both partners'

function readText(file: string, name: string, warn: (message: string) => void): string {
  try {
    const text = readFileSync(file, 'utf8')
    if ((statSync(file).mode & 0o004) !== 0) warn(`${name} can be read by every user: chmod o-r`)
    return text
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    throw invalid(`${name} cannot be read (${code})`, { cause })
  }
}

function invalid(message: string, options?: ErrorOptions): TurnpikeError {
  return new TurnpikeError('configuration-invalid', message, options)
}

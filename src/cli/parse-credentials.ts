/**
 * Users, secrets and keys as flags and files give them. Faults are TurnpikeErrors of our own wording: commander would
 * repeat the whole value, and it holds a password.
 */

import { readFileSync, statSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { opaqueString } from '../stun/opaque-string.ts'
import type { TokenKey } from '../turn/access-token.ts'
import type { StaticUser } from '../turn/credentials.ts'

/** `name:password`, or `name:0x` and the 32 hexadecimal digits of the key MD5(name:realm:password). */
export function parseUser(text: string): StaticUser {
  const colon = text.indexOf(':')
  if (colon < 0) throw badUser('there is no colon in it')
  const given = text.slice(0, colon)
  const password = text.slice(colon + 1)
  if (given === '') throw badUser('the name is empty')
  if (password === '') throw badUser(`the password of ${quote(given)} is empty`)
  const name = opaqueString(given)
  if (name === undefined) {
    throw badUser(`the name ${quote(given)} has characters that no user name has (RFC 8265 §4.2)`)
  }
  if (Buffer.byteLength(name) > 508) throw badUser('the name is longer than 508 bytes (RFC 8489 §14.3)')
  if (!password.startsWith('0x')) return { name, password }
  if (!/^0x[0-9a-f]{32}$/i.test(password)) {
    throw badUser(`the key of ${quote(name)} is not 0x and 32 hexadecimal digits`)
  }
  return { name, key: new Uint8Array(Buffer.from(password.slice(2), 'hex')) }
}

/** The lines of a file of users: `name:password`, blank lines and lines that start with # left out. */
export function parseUserFile(text: string, file: string): StaticUser[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    try {
      return [parseUser(line)]
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new TurnpikeError('configuration-invalid', `${file}, line ${i + 1}: ${why}`)
    }
  })
}

/** A secret that this server shares with a web service, as text. */
export function parseSecret(text: string): Uint8Array {
  if (text.trim() === '') throw badSecret('--secret is empty')
  return new Uint8Array(Buffer.from(text, 'utf8'))
}

/** The lines of a file of secrets, blank ones left out. A file without a secret is a fault: it was to have one. */
export function parseSecretFile(text: string, file: string): Uint8Array[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (lines.length === 0) throw badSecret(`--secret-file ${file} has no line with a secret`)
  return lines.map(parseSecret)
}

const keyBytes: Readonly<Record<string, number>> = { A128GCM: 16, A256GCM: 32 }

/** `kid:KEY` or `kid:KEY:A128GCM`, the key in base64. Without an algorithm its length says which: 16 bytes or 32. */
export function parseOauthKey(text: string): TokenKey {
  const match = /^([^:]+):([^:]+)(?::([^:]+))?$/.exec(text)
  if (match === null) throw badOauthKey('it has no colon, or too many')
  const [, kid, encoded, algorithm] = match
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded!)) throw badOauthKey(`the key of ${quote(kid!)} is not base64`)
  // Interop: "echo KEY | base64" has a line end in it, as the keys have that coturn is tested with.
  const bytes = new Uint8Array(Buffer.from(encoded!, 'base64'))
  const key = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes
  if (algorithm === undefined) {
    if (key.length === 16 || key.length === 32) return { kid: kid!, key }
    throw badOauthKey(`the key of ${quote(kid!)} has ${key.length} bytes, not 16 (A128GCM) or 32 (A256GCM)`)
  }
  const length = keyBytes[algorithm]
  if (length === undefined) {
    throw badOauthKey(`${quote(algorithm)} is no algorithm that is known here (A128GCM, A256GCM)`)
  }
  if (key.length < length) {
    throw badOauthKey(`the key of ${quote(kid!)} has ${key.length} bytes, and ${algorithm} takes ${length}`)
  }
  return { kid: kid!, key: key.slice(0, length) }
}

export function parseRealm(text: string): string {
  const realm = opaqueString(text)
  if (realm === undefined || [...realm].length > 127 || /["\\]/.test(realm)) {
    throw new InvalidArgumentError('a realm is 1-127 characters without quotes, such as turn.example.org')
  }
  return realm
}

/** Reads a file of secrets; `warn` hears of one that other users of the machine may read. Throws a TurnpikeError. */
export function readSecretFile(flag: string, file: string, warn: (message: string) => void): string {
  try {
    if ((statSync(file).mode & 0o004) !== 0)
      warn(`${flag} ${quote(file)} can be read by every user: chmod o-r`)
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new TurnpikeError('configuration-invalid', `${flag} ${quote(file)} cannot be read (${code})`, {
      cause,
    })
  }
}

function badUser(why: string): TurnpikeError {
  return new TurnpikeError(
    'configuration-invalid',
    `--user: ${why}; write --user name:password or name:0xKEY`,
  )
}

function badSecret(why: string): TurnpikeError {
  return new TurnpikeError(
    'configuration-invalid',
    `${why}; make a secret with "openssl rand -hex 32" and give it to the web service too`,
  )
}

function badOauthKey(why: string): TurnpikeError {
  return new TurnpikeError(
    'configuration-invalid',
    `--oauth-key: ${why}; write --oauth-key kid:BASE64 or kid:BASE64:A256GCM`,
  )
}

function quote(text: string): string {
  return JSON.stringify(text)
}

/** User names as they come from the network (RFC 8489 §14.3): bytes that may or may not be anybody's name. */

/** RFC 8489 §14.3. */
const longestName = 508

/**
 * The name in its text form; undefined for what can be nobody's: no bytes or too many, not UTF-8 (which must not
 * become a look-alike by replacement), or control characters. Trailing NULs are no part of a name (RFC 8489 §9.2.2).
 */
export function decodeUsername(bytes: Uint8Array): string | undefined {
  const trimmed = withoutTrailingNuls(bytes)
  if (trimmed.length === 0 || trimmed.length > longestName) return undefined
  try {
    const name = strictDecoder.decode(trimmed)
    return /\p{Cc}/u.test(name) ? undefined : name
  } catch {
    return undefined
  }
}

export function withoutTrailingNuls(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end === bytes.length ? bytes : bytes.subarray(0, end)
}

/** What a log may say of a name that nobody has: at most 64 characters, whatever the bytes. */
export function describeUsername(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return ''
  return looseDecoder.decode(bytes.subarray(0, 256)).slice(0, 64)
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const looseDecoder = new TextDecoder('utf-8', { ignoreBOM: true })

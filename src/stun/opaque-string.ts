/**
 * The OpaqueString profile (RFC 8265 §4.2) over the FreeformClass of PRECIS (RFC 8264 §4.3, §8): how user names,
 * realms and passwords are spelt before they are compared or hashed (RFC 8489 §9.2.2, §14.3, §14.4, §14.9).
 */

const asciiOnly = /^[\x20-\x7e]+$/

/**
 * The text as everybody has to spell it: spaces of other scripts become U+0020, and the whole is in Unicode
 * Normalization Form C. Undefined for what is no OpaqueString: the empty string, and code points that are disallowed
 * (controls, invisible ones, private use, old Hangul) or stand where they may not.
 */
export function opaqueString(text: string): string | undefined {
  if (asciiOnly.test(text)) return text
  const spelt = text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  const points = [...spelt]
  return points.length > 0 && points.every((_, i) => isAllowed(points, i)) ? spelt : undefined
}

/** RFC 8264 §9.6: code points that the derivation from their properties would put elsewhere. */
const validExceptions = /^[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]$/
const disallowedExceptions = /^[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]$/
/** §9.9: Hangul_Syllable_Type L, V or T. NFC has already joined those that make a modern syllable. */
const oldHangulJamo = /^[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb]$/
/** §9.11, §9.13, §9.14: letters and digits, other letters and digits, spaces, symbols, punctuation. */
const freeform = /^[\p{L}\p{Nd}\p{Nl}\p{No}\p{M}\p{Zs}\p{S}\p{P}]$/u
/** §9.12, and what stands out of the class by its category: controls, surrogates, private use, unassigned. */
const neverAllowed = /^[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{C}]$/u

/** §8, in its order, for the class FreeformClass. */
function isAllowed(points: readonly string[], at: number): boolean {
  const point = points[at]!
  const rule = contextRules.get(point)
  if (rule !== undefined) return rule(points, at)
  if (validExceptions.test(point)) return true
  if (disallowedExceptions.test(point) || oldHangulJamo.test(point)) return false
  return !neverAllowed.test(point) && freeform.test(point)
}

type ContextRule = (points: readonly string[], at: number) => boolean

/** Canonical_Combining_Class=Virama, which JavaScript's expressions have no name for. */
const virama =
  /^[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u0e3a\u0eba\u0f84\u1039\u103a\u1714\u1715\u1734\u17d2\u1a60\u1b44\u1baa\u1bab\u1bf2\u1bf3\u2d7f\ua806\ua82c\ua8c4\ua953\ua9c0\uaaf6\uabed\u{10a3f}\u{11046}\u{11070}\u{1107f}\u{110b9}\u{11133}\u{11134}\u{111c0}\u{11235}\u{112ea}\u{1134d}\u{11442}\u{114c2}\u{115bf}\u{1163f}\u{116b6}\u{1172b}\u{11839}\u{1193d}\u{1193e}\u{119e0}\u{11a34}\u{11a47}\u{11a99}\u{11c3f}\u{11d44}\u{11d45}\u{11d97}\u{11f41}\u{11f42}]$/u

/**
 * Deviation: RFC 5892 A.1 wants the joining types of both neighbours. Letters of the scripts that join are taken for
 * it, which lets through a few that do not join on that side.
 */
const joining = /^[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}\p{Script=Mandaic}]$/u

const arabicIndicDigit = /[\u0660-\u0669]/
const extendedArabicIndicDigit = /[\u06f0-\u06f9]/

/** The contextual rules of RFC 5892 appendix A, which RFC 8264 §9.10 takes over. */
const contextRules = new Map<string, ContextRule>([
  // Zero width non-joiner and joiner (A.1, A.2): after a virama, or between letters that would join.
  ['\u200c', (points, at) => is(points, at - 1, virama) || isBetween(points, at, joining)],
  ['\u200d', (points, at) => is(points, at - 1, virama)],
  // Middle dot (A.3): as in Catalan, between two "l".
  ['\u00b7', (points, at) => isBetween(points, at, /^l$/)],
  // Greek keraia (A.4): before a Greek letter. Hebrew geresh and gershayim (A.5, A.6): after a Hebrew one.
  ['\u0375', (points, at) => is(points, at + 1, /^\p{Script=Greek}$/u)],
  ['\u05f3', (points, at) => is(points, at - 1, /^\p{Script=Hebrew}$/u)],
  ['\u05f4', (points, at) => is(points, at - 1, /^\p{Script=Hebrew}$/u)],
  // Katakana middle dot (A.7): somewhere with Japanese letters.
  [
    '\u30fb',
    (points) => points.some((point) => /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(point)),
  ],
  // Arabic-Indic digits and extended ones (A.8, A.9): never both.
  ...digits(0x0660, extendedArabicIndicDigit),
  ...digits(0x06f0, arabicIndicDigit),
])

function digits(first: number, others: RegExp): [string, ContextRule][] {
  const rule: ContextRule = (points) => !points.some((point) => others.test(point))
  return Array.from({ length: 10 }, (_, i) => [String.fromCodePoint(first + i), rule])
}

function isBetween(points: readonly string[], at: number, pattern: RegExp): boolean {
  return is(points, at - 1, pattern) && is(points, at + 1, pattern)
}

function is(points: readonly string[], at: number, pattern: RegExp): boolean {
  const point = points[at]
  return point !== undefined && pattern.test(point)
}

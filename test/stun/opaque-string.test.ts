import { describe, expect, it } from 'vitest'
import { opaqueString } from '../../src/stun/opaque-string.ts'

describe('OpaqueString', () => {
  // The first seven rows are the table of RFC 8265 §4.3.
  const spelt: [string, string, string][] = [
    ['lower case', 'correct horse battery staple', 'correct horse battery staple'],
    ['upper case, which stays', 'Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['letters of three scripts', '\u03c0\u00df\u00e5', '\u03c0\u00df\u00e5'],
    ['a symbol', 'Jack of \u2666s', 'Jack of \u2666s'],
    ['a space of another script', 'foo\u1680bar', 'foo bar'],
    ['a no-break and an ideographic space', 'a\u00a0b\u3000c', 'a b c'],
    ['a letter and its accent, which become one', 'Zo\u0065\u0308', 'Zo\u00eb'],
    ['Korean typed as single letters', '\u1112\u1161\u11ab\u1100\u1173\u11af', '\ud55c\uae00'],
    ['an angstrom sign, which is a letter', '\u212b', '\u00c5'],
    [
      'a compatibility form, which stays: this is not NFKC',
      '\u00aa\u2168\uff21\ufb01',
      '\u00aa\u2168\uff21\ufb01',
    ],
    [
      'Japanese (RFC 8489 B.1)',
      '\u30de\u30c8\u30ea\u30c3\u30af\u30b9',
      '\u30de\u30c8\u30ea\u30c3\u30af\u30b9',
    ],
    ['an emoji', 'p\u{1f600}w', 'p\u{1f600}w'],
    ['quotes, backslashes and spaces at the ends', ' "a\\b" ', ' "a\\b" '],
    ['a non-joiner after a virama', '\u0915\u094d\u200c\u0937', '\u0915\u094d\u200c\u0937'],
    ['a non-joiner between Persian letters', '\u0645\u06cc\u200c\u062e', '\u0645\u06cc\u200c\u062e'],
    ['a joiner after a virama', '\u0915\u094d\u200d', '\u0915\u094d\u200d'],
    ['a middle dot between two l', 'col\u00b7lega', 'col\u00b7lega'],
    ['a keraia before a Greek letter', '\u0375\u03b1', '\u0375\u03b1'],
    ['geresh and gershayim after Hebrew letters', '\u05d0\u05f3\u05d1\u05f4', '\u05d0\u05f3\u05d1\u05f4'],
    ['a katakana dot among kana', '\u30a2\u30fb\u30a4', '\u30a2\u30fb\u30a4'],
    ['Arabic-Indic digits alone', '\u0661\u0662', '\u0661\u0662'],
  ]
  it.each(spelt)('spells %s', (_name, text, expected) => {
    expect(opaqueString(text)).toBe(expected)
    expect(opaqueString(expected)).toBe(expected)
  })

  const refused: [string, string][] = [
    ['the empty string', ''],
    ['a tab', 'my cat is a \u0009by'],
    ['NUL', 'a\u0000b'],
    ['a line end', 'a\r\nb'],
    ['DEL and C1 controls', '\u007f\u0085'],
    ['a soft hyphen, which is invisible', 'The\u00adM'],
    ['a zero width space', 'a\u200bb'],
    ['a direction override', 'a\u202eb'],
    ['a byte order mark', '\ufefftext'],
    ['a tag or variation selector', 'a\ufe0fb'],
    ['a line separator', 'a\u2028b'],
    ['private use', '\ue000'],
    ['half a surrogate pair', 'a\ud800b'],
    ['a noncharacter', '\uffff'],
    ['an unassigned code point', '\u0378'],
    ['old Hangul', '\u1112\u119e'],
    ['Arabic tatweel', '\u0628\u0640'],
    ['a joiner after a letter', 'a\u200d'],
    ['a non-joiner in Latin text', 'a\u200cb'],
    ['a middle dot elsewhere', 'a\u00b7b'],
    ['a keraia at the end', '\u03b1\u0375'],
    ['geresh after Latin', 'a\u05f3'],
    ['a katakana dot in Latin text', 'a\u30fbb'],
    ['both kinds of Arabic digits', '\u0661\u06f1'],
  ]
  it.each(refused)('refuses %s', (_name, text) => {
    expect(opaqueString(text)).toBeUndefined()
  })
})

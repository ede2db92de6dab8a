import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { referencesOf, rowsOf } from '../support/doc-tables.ts'

/** The sections with a MUST, SHOULD, REQUIRED or RECOMMENDED in them, but for those about these very words. */
const sections: Readonly<Record<string, string>> = {
  '8489':
    '5 6.1 6.2 6.2.1 6.2.2 6.2.3 6.3 6.3.1 6.3.1.1 6.3.3 6.3.4 8 8.1 9 9.1.2 9.1.3 9.1.4 9.1.5 9.2 9.2.3.1 9.2.3.2 9.2.4 9.2.5 10 11 12 14 14.1 14.3 14.4 14.5 14.6 14.7 14.8 14.9 14.10 14.12 14.14 14.16 16 16.1.1 16.1.2 18.5.1.1',
  '8656':
    '3.1 3.7 4.1 5 6 7.1 7.2 7.3 7.4 8 8.1 8.2 9 10.1 10.2 11.1 11.2 11.3 11.4 11.5 11.6 12 12.1 12.2 12.3 12.5 12.6 13 13.1 13.2 13.3 14 15 16 18 18.1 18.6 18.8 18.12 18.13 21.1.6 21.4',
  '6062': '4.1 4.2 4.3 4.4 4.6 5.1 5.2 5.3 5.4 5.5',
  '8016': '3.1.4 3.2.1 3.2.2 5',
  '7635': '4.1 4.1.1 4.1.2 6.1 6.2 7 8 9 11',
  '5780': '1 3 5 6 6.1 7.4 7.5 7.6',
}

/** Attacks by their numbers in docs/security-tests.md, and the letter of a case that a TURN server has to get right. */
const attacks = [
  ...numbers(1, 17),
  ...numbers(19, 35),
  ...numbers(37, 51),
  ...[53, 56],
  ...numbers(57, 76),
  ...numbers(78, 86),
  ...numbers(88, 98),
]

describe.each(['docs/security-tests.md', 'docs/rfc-coverage.md'])('%s', (document) => {
  const rows = rowsOf(document)
  const tested = rows.filter(({ cells }) => cells.test !== undefined)

  it('names a test in every row, and tests that are there', () => {
    expect(tested.length).toBeGreaterThan(50)
    for (const { cells, line } of tested) {
      const references = referencesOf(cells.test!)
      const isExplained = /left out|not set by Node|npm run/i.test(line)
      expect(references.length > 0 || isExplained, `no test in: ${line}`).toBe(true)
      for (const { name } of references) expect(isTest(name), `${name} in: ${line}`).toBe(true)
    }
  })

  it('quotes names that tests have', () => {
    for (const { cells, line } of tested) {
      for (const { name, quoted } of referencesOf(cells.test!)) {
        const source = quoted.length > 0 ? readFileSync(`test/${name}.test.ts`, 'utf8') : ''
        for (const quote of quoted) expect(isNameIn(source, quote), `"${quote}" in: ${line}`).toBe(true)
      }
    }
  })

  it('names files that are there', () => {
    for (const { cells, line } of rows) {
      for (const { name } of referencesOf(cells.file ?? '')) {
        expect(existsSync(`src/${name}.ts`), `${name} in: ${line}`).toBe(true)
      }
    }
  })
})

it.each(Object.keys(sections))(
  'docs/rfc-coverage.md has each section of RFC %s that asks for something',
  (rfc) => {
    const covered = new Set(
      rowsOf('docs/rfc-coverage.md').flatMap(({ heading, cells }) => {
        const cell = cells.section ?? ''
        const isOfRfc = cell.includes('RFC') ? cell.includes(`RFC ${rfc}`) : heading.includes(`RFC ${rfc}`)
        return isOfRfc ? sectionsOf(cell) : []
      }),
    )
    expect(sections[rfc]!.split(' ').filter((section) => !covered.has(section))).toEqual([])
  },
)

it('docs/security-tests.md has each attack that is known', () => {
  const there = new Set(rowsOf('docs/security-tests.md').map(({ cells }) => Number(cells['#'])))
  expect(attacks.filter((number) => !there.has(number))).toEqual([])
})

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

function isTest(name: string): boolean {
  return existsSync(`test/${name}.test.ts`) || existsSync(`test/${name}`) || existsSync(name)
}

/** `§5.2–3`, `§8.1, §8.2 4.` */
function sectionsOf(cell: string): string[] {
  return [...cell.matchAll(/§(\d+(?:\.\d+)*)(?:[–-](\d+))?/g)].flatMap(([, first, last]) => {
    if (last === undefined) return [first!]
    const parts = first!.split('.')
    return numbers(Number(parts.at(-1)), Number(last)).map((end) => [...parts.slice(0, -1), end].join('.'))
  })
}

/**
 * Whether a test may have a name that begins so. A name is made of those of groups and of rows of a table, which stand
 * apart in the source: so of a few runs of words that are there.
 */
function isNameIn(source: string, quote: string, runs = 4): boolean {
  if (source.includes(quote)) return true
  if (runs === 1) return false
  const words = quote.split(' ')
  for (let i = words.length - 1; i > 0; i--) {
    if (!source.includes(words.slice(0, i).join(' '))) continue
    if (isNameIn(source, words.slice(i).join(' '), runs - 1)) return true
  }
  return false
}

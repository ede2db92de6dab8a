import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** Words with a slash in a table cell: `turn/methods/allocate`, without folder and extension. */
const reference = /(?<![\w./-])[a-z]+(?:\/[a-z0-9-]+)+(?![\w/])/g

interface Reference {
  readonly name: string
  readonly line: string
}

/** What a column of the tables of a document names. */
function referencesOf(document: string, column: 'file' | 'test'): Reference[] {
  const found: Reference[] = []
  let at = -1
  for (const line of readFileSync(document, 'utf8').split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim())
    if (cells.length < 3) at = -1
    else if (cells.includes(column)) at = cells.indexOf(column)
    else if (at >= 0) for (const [name] of (cells[at] ?? '').matchAll(reference)) found.push({ name, line })
  }
  return found
}

describe.each(['docs/security-tests.md', 'docs/rfc-coverage.md'])('%s', (document) => {
  it('names tests that are there', () => {
    const references = referencesOf(document, 'test')
    expect(references.length).toBeGreaterThan(10)
    for (const { name, line } of references) {
      const isThere = existsSync(`test/${name}.test.ts`) || existsSync(`test/${name}`) || existsSync(name)
      expect(isThere, `${name} in: ${line}`).toBe(true)
    }
  })

  it('names files that are there', () => {
    for (const { name, line } of referencesOf(document, 'file')) {
      expect(existsSync(`src/${name}.ts`), `${name} in: ${line}`).toBe(true)
    }
  })
})

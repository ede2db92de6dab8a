/** The tables of a document in Markdown, by the names of their columns. */

import { readFileSync } from 'node:fs'

export interface DocRow {
  /** The heading that it stands under. */
  readonly heading: string
  readonly line: string
  readonly cells: Readonly<Record<string, string>>
}

export function rowsOf(document: string): DocRow[] {
  const rows: DocRow[] = []
  let heading = ''
  let columns: readonly string[] | undefined
  for (const line of readFileSync(document, 'utf8').split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    if (!line.startsWith('|')) columns = undefined
    else if (columns === undefined) columns = cellsOf(line)
    else if (!/^\|[\s:|-]+\|$/.test(line)) {
      const values = cellsOf(line)
      const cells = Object.fromEntries(columns.map((column, i) => [column, values[i] ?? '']))
      rows.push({ heading, line, cells })
    }
  }
  return rows
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim())
}

export interface Reference {
  /** `turn/methods/allocate`, without folder and extension. */
  readonly name: string
  /** What is quoted behind it: the beginnings of names of tests. */
  readonly quoted: readonly string[]
}

/** What a cell names; with the names of tests that follow in quotes. */
export function referencesOf(cell: string): Reference[] {
  const found: { name: string; quoted: string[] }[] = []
  for (const [, name, quote] of cell.matchAll(/(?<![\w./-])([a-z]+(?:\/[a-z0-9-]+)+)(?![\w/])|"([^"]+)"/g)) {
    if (name !== undefined) found.push({ name, quoted: [] })
    else found.at(-1)?.quoted.push(quote!)
  }
  return found
}

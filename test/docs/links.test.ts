import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rowsOf } from '../support/doc-tables.ts'

const documents = ['.', 'bench', 'docs', 'docs/adr'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
)
const text = (document: string) => readFileSync(document, 'utf8')

/** As they are written in a link: `#random-sessions`. */
function anchorsOf(document: string): string[] {
  return [...text(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(documents)('%s', (document) => {
  it('has links that lead somewhere', () => {
    const links = [...text(document).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
    for (const [link, path = '', anchor] of links) {
      const target = path === '' ? document : join(dirname(document), path)
      expect(existsSync(target), `${link}: ${target}`).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(target), link).toContain(anchor)
    }
  })

  it('names files and folders that are there', () => {
    const named = text(document).matchAll(
      /`((?:assets|bench|bin|docs|examples|scripts|src|test|web)\/[\w./-]*)`/g,
    )
    for (const [, path = ''] of named) {
      const isThere = [path, `${path}.ts`, `${path}.test.ts`].some((name) => existsSync(name))
      expect(isThere, `${path} in ${document}`).toBe(true)
    }
  })

  it('names scripts that are there', () => {
    const { scripts } = JSON.parse(text('package.json'))
    for (const [, name = ''] of text(document).matchAll(/`npm run ([\w:]+)/g)) {
      expect(Object.keys(scripts), `npm run ${name}`).toContain(name)
    }
  })
})

describe('ARCHITECTURE.md', () => {
  const rows = rowsOf('ARCHITECTURE.md')

  it('has a row for each folder of the sources', () => {
    const folders = readdirSync('src').map((folder) => `\`src/${folder}\``)
    expect(rows.map(({ cells }) => cells.folder).toSorted()).toEqual([...folders, '`web/src`'].toSorted())
  })

  it('says where to start reading', () => {
    for (const { cells } of rows) {
      const folder = cells.folder!.replaceAll('`', '')
      const files = [...cells['start reading at']!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!)
      expect(files.length, folder).toBeGreaterThan(0)
      for (const file of files) expect(existsSync(join(folder, file)), join(folder, file)).toBe(true)
    }
  })

  it('names files of the sources that are there', () => {
    const paragraphs = text('ARCHITECTURE.md').replaceAll(/^\|.*$/gm, '')
    for (const [, file = ''] of paragraphs.matchAll(/`(\w[\w-]*\/[\w./-]+\.ts)`/g)) {
      expect(existsSync(file) || existsSync(join('src', file)), file).toBe(true)
    }
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rowsOf } from '../support/doc-tables.ts'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const rows = rowsOf('docs/dependencies.md')
const dependencies = Object.keys(manifest.dependencies)

describe('docs/dependencies.md', () => {
  it('has a row for each package of the manifest, and for no other', () => {
    const all = [...dependencies, ...Object.keys(manifest.devDependencies)]
    expect(rows.map(({ cells }) => cells.package!).toSorted()).toEqual(all.toSorted())
  })

  it('has a sentence for each', () => {
    for (const { cells, line } of rows) expect(Object.values(cells)[1]!.length, line).toBeGreaterThan(9)
  })

  it('tells what is shipped with the package first', () => {
    expect(
      rows
        .slice(0, dependencies.length)
        .map(({ cells }) => cells.package!)
        .toSorted(),
    ).toEqual(dependencies.toSorted())
  })
})

/** Of `import … from '…'`, of the end of one in several lines, and of `import('…')`. */
const specifiers = /(?:^(?:import|export|\}).* from |^import |\bimport\()'([^'.][^']*)'/gm

describe('the sources', () => {
  const imported = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join('src', name), 'utf8').matchAll(specifiers)])
    .map(([, specifier = '']) => specifier)
    .filter((specifier) => !specifier.startsWith('node:') && !specifier.startsWith('turnpike/'))
    .map((specifier) =>
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    )

  it('import each package that is a dependency, and none that is for development', () => {
    expect([...new Set(imported)].toSorted()).toEqual(dependencies.toSorted())
  })
})

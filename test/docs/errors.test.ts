import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../src/core/errors.ts'

const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([a-z-]+)`\s*\|([^|]+)\|([^|]+)\|$/gm)]
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join('src', name), 'utf8'))
  .join('\n')

describe('docs/errors.md', () => {
  it('has a row for each code, in their order, and for no other', () => {
    expect(rows.map(([, code]) => code)).toEqual([...errorCodes])
  })

  it('says of each what it means and how it is cured', () => {
    for (const [, code, meaning = '', cure = ''] of rows) {
      expect(meaning.trim().length, code).toBeGreaterThan(20)
      expect(cure.trim().length, code).toBeGreaterThan(20)
    }
  })

  it.each(errorCodes)('has no code that is never thrown: %s', (code) => {
    expect(sources).toMatch(new RegExp(`TurnpikeError\\(\\s*'${code}'`))
  })

  it('is of codes in alphabetical order', () => {
    expect([...errorCodes].sort()).toEqual([...errorCodes])
  })
})

/** Every program in examples/ runs to its end; each asserts what it shows. */

import { readdirSync } from 'node:fs'
import { expect, test, vi } from 'vitest'

const names = readdirSync('examples').flatMap((file) => (file.endsWith('.ts') ? [file.slice(0, -3)] : []))

test.each(names)('%s', async (name) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  await import(`../examples/${name}.ts`)
  expect(log).toHaveBeenCalled()
  log.mockRestore()
})

/** `npm run bench`: the relay beside its rivals, and the data path alone. `npm run bench -- NAME …` runs one benchmark. */

import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const benchmarks = readdirSync(folder).filter((name) => existsSync(`${folder}${name}/main.ts`))

const [first, ...rest] = process.argv.slice(2)
if (first === undefined) {
  for (const name of ['relay', 'hot-path']) await import(`./${name}/main.ts`)
} else {
  const name = first.startsWith('-') ? 'relay' : first
  if (!benchmarks.includes(name)) {
    process.stderr.write(
      `no benchmark is called ${JSON.stringify(name)}; there are: ${benchmarks.join(', ')}\n`,
    )
    process.exit(2)
  }
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...(first === name ? rest : process.argv.slice(2)))
  await import(`./${name}/main.ts`)
}

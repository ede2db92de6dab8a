/** The version in package.json, whether this runs from the sources or from dist/. */

import { readFileSync } from 'node:fs'

export function version(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const json = readJson(new URL(path, import.meta.url))
    if (json?.name === 'turnpike') return json.version
  }
  return 'unknown'
}

function readJson(url: URL): { name: string; version: string } | undefined {
  try {
    return JSON.parse(readFileSync(url, 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * Who may import whom, and what a protocol core may touch: read off the import statements and the identifiers of
 * the sources. See ARCHITECTURE.md for the picture.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** Each layer with the layers it may import from, besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  stun: ['core'],
  turn: ['core', 'stun'],
  ice: ['core', 'stun', 'turn'],
  net: ['core', 'stun', 'turn', 'ice'],
  sim: ['core'],
  server: ['core', 'stun', 'turn', 'ice', 'net'],
  probe: ['core', 'stun', 'turn', 'ice', 'net'],
  signaling: ['core', 'stun', 'turn', 'ice', 'net'],
  peer: ['core', 'stun', 'turn', 'ice', 'net', 'signaling'],
  load: ['core', 'stun', 'turn', 'net'],
  cli: ['core', 'stun', 'turn', 'ice', 'net', 'server', 'probe', 'signaling', 'peer', 'load'],
}

/** The protocol cores: no I/O, no clock, no randomness of their own. */
const cores = ['core', 'stun', 'turn', 'ice']
const coreBuiltins = ['node:crypto', 'node:zlib']
/** The protocol path has no dependency. */
const withoutPackages = [...cores, 'net', 'sim']

/** Its seams are private, so that one file shall know them. */
const weriftFile = 'peer/werift.ts'

const forbiddenInCores: readonly [RegExp, string][] = [
  [/\bset(?:Timeout|Interval|Immediate)\b/, 'a timer'],
  [/\bDate\b|\bperformance\./, 'a clock'],
  [/\bMath\.random\b|\brandom(?:Bytes|Fill|UUID|Int)\b/, 'randomness of its own'],
  [/\bprocess\b|\bconsole\b/, 'the process'],
  [/\bBuffer\b/, 'Buffer, which is not a Uint8Array everywhere'],
  [/\bPromise\b|\basync\b|\bawait\b/, 'asynchrony'],
]

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g

/** One line for each offence: `file:line: what is wrong`. */
export function layerOffences(root: string): string[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, name))
  const graph = new Map<string, string[]>()
  const offences = files.flatMap((file) => offencesOf(file, root, graph))
  return [...offences, ...cycles(graph)]
}

function offencesOf(file: string, root: string, graph: Map<string, string[]>): string[] {
  const source = readFileSync(file, 'utf8')
  const layer = layerOf(file, root)
  const offences: string[] = []
  const offend = (index: number, what: string) =>
    offences.push(`${file}:${source.slice(0, index).split('\n').length}: ${what}`)
  if (mayImport[layer] === undefined) offend(0, `${layer} is no layer: name it in scripts/layers.ts`)
  for (const match of source.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? ''
    const index = match.index + match[0].indexOf(specifier)
    if (specifier.startsWith('.')) {
      const target = resolve(dirname(file), specifier)
      graph.set(resolve(file), [...(graph.get(resolve(file)) ?? []), target])
      const other = layerOf(target, root)
      if (target.endsWith('/index.ts'))
        offend(index, `imports ${specifier}: nothing under src imports an index.ts`)
      if (other !== layer && mayImport[layer]?.includes(other) !== true) {
        offend(index, `imports ${specifier}: ${layer} may not import ${other}`)
      }
    } else if (specifier.startsWith('node:')) {
      if (cores.includes(layer) && !coreBuiltins.includes(specifier)) {
        offend(index, `imports ${specifier}: a core may use ${coreBuiltins.join(' and ')} only`)
      }
    } else if (/^werift(\/|$)/.test(specifier) && relative(root, file) !== weriftFile) {
      offend(index, `imports ${specifier}: only ${weriftFile} knows werift`)
    } else if (withoutPackages.includes(layer)) {
      offend(index, `imports ${specifier}: the protocol path has no dependency`)
    }
  }
  const star = source.search(/^export \*/m)
  if (star >= 0) offend(star, 'export *: an index lists its exports by name')
  if (cores.includes(layer)) {
    const code = withoutComments(source)
    for (const [pattern, what] of forbiddenInCores) {
      const at = code.search(pattern)
      if (at >= 0) offend(at, `a core uses ${what}`)
    }
  }
  return offences
}

function layerOf(file: string, root: string): string {
  return relative(resolve(root), resolve(file)).split('/')[0]!
}

/** Comments blanked out, so that line numbers stay. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, ' '))
}

function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) {
      const cycle = [...path.slice(path.indexOf(file)), file].map((name) => relative(process.cwd(), name))
      found.push(`${cycle[0]}:1: import cycle: ${cycle.join(' -> ')}`)
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return found
}

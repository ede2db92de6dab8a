/** bench/RESULTS.md: one section a benchmark, replaced as a whole when that benchmark has run. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../RESULTS.md', import.meta.url))

const introduction = `# Benchmark results

Each section is written by the benchmark it names. The machines are shared and noisy: read the ratios within one
section, not the absolute numbers, and nothing across sections.
`

/** Puts `body` under \`## title\`, in place of what stood there; a new title goes to the end. */
export function writeSection(title: string, body: string): void {
  writeFileSync(file, withSection(existsSync(file) ? readFileSync(file, 'utf8') : introduction, title, body))
}

/** The text with that section in it, everything else as it was. */
export function withSection(text: string, title: string, body: string): string {
  const [head, ...sections] = text.split(/^(?=## )/m)
  const section = `## ${title}\n\n${body.trim()}\n`
  const at = sections.findIndex((other) => other.startsWith(`## ${title}\n`))
  if (at < 0) sections.push(section)
  else sections[at] = section
  return [head!, ...sections].map((part) => `${part.trim()}\n`).join('\n')
}

/** What the figures were taken on: processor, cores, memory, kernel-independent. */
export function machine(): string {
  const [cpu] = cpus()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return `${cpu?.model ?? 'unknown processor'}, ${cpus().length} cores, ${gigabytes} GB, Node ${process.version}`
}

/** A Markdown table, padded so that it reads as text too. Columns after the first are right-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(header), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

/** Blocks as text: for a person within the columns there are, or one record a line with --plain. */

import type { Block, Cell, Fact, Mark } from './blocks.ts'
import type { Terminal } from './terminal.ts'

const unicodeMarks: Readonly<Record<Mark, string>> = { ok: '✓', failed: '✗', unknown: '?' }
const asciiMarks: Readonly<Record<Mark, string>> = { ok: 'ok', failed: 'FAIL', unknown: '?' }
const colors: Readonly<Record<Mark, number>> = { ok: 32, failed: 31, unknown: 33 }
const bold = 1
const dim = 2
const columnGap = '   '
const narrowest = 16

/** Ends in a newline. */
export function render(blocks: readonly Block[], terminal: Terminal): string {
  const shown = blocks.flatMap((block) => {
    const lines = terminal.isPlain ? plain(block, terminal) : lines80(block, terminal)
    return lines.length === 0 ? [] : [lines.map((line) => `${toAscii(line, terminal)}\n`).join('')]
  })
  return terminal.isPlain ? shown.join('') : `${shown.join('\n')}`
}

export function markText(mark: Mark, terminal: Terminal): string {
  const text = (terminal.hasUnicode ? unicodeMarks : asciiMarks)[mark]
  return paint(text, colors[mark], terminal)
}

/** Columns that a text takes, escape sequences not counted. */
export function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
  return [...text.replace(/\x1b\[[\d;]*m/g, '')].length
}

function lines80(block: Block, terminal: Terminal): string[] {
  switch (block.type) {
    case 'title': {
      const { left, right = '' } = block
      const gap = terminal.columns - widthOf(left) - widthOf(right)
      return [paint(right === '' || gap < 1 ? left : left + ' '.repeat(gap) + right, dim, terminal)]
    }
    case 'verdict': {
      const mark = block.mark === undefined ? '' : `${markText(block.mark, terminal)} `
      return block.sentences.flatMap((sentence, i) =>
        wrap(sentence, terminal.columns - 2 - (i === 0 ? widthOf(mark) : 0)).map(
          (line, row) => `  ${i === 0 && row === 0 ? mark + paint(line, bold, terminal) : line}`,
        ),
      )
    }
    case 'facts':
      return factLines(block.facts, terminal)
    case 'table':
      return tableLines(block, terminal)
    case 'drawing':
      return block.lines.map((line) => `  ${line}`)
    case 'problems':
      return block.problems.flatMap(({ mark, text }) => {
        const sign = markText(mark, terminal)
        const indent = ' '.repeat(widthOf(sign) + 3)
        return wrap(text, terminal.columns - indent.length).map((line, i) =>
          i === 0 ? `  ${sign} ${line}` : indent + line,
        )
      })
    case 'next':
      return block.commands.map((command, i) => `  ${i === 0 ? 'next:' : '     '} ${command}`)
  }
}

function factLines(facts: readonly Fact[], terminal: Terminal): string[] {
  const width = Math.max(...facts.map(({ label }) => widthOf(label))) + 2
  return facts.flatMap(({ label, value }) => {
    const indent = ' '.repeat(width + 2)
    return wrap(cellText(value, terminal), terminal.columns - indent.length).map((line, i) =>
      i === 0 ? `  ${pad(label, width)}${line}` : indent + line,
    )
  })
}

function tableLines(table: Block & { type: 'table' }, terminal: Terminal): string[] {
  const { columns, rows, right = [] } = table
  const texts = rows.map((row) => row.map((cell) => cellText(cell, terminal)))
  const widths = columns.map((name, i) =>
    Math.max(widthOf(name), ...texts.map((row) => widthOf(row[i] ?? ''))),
  )
  const last = columns.length - 1
  const indent = widths.slice(0, last).reduce((sum, width) => sum + width + columnGap.length, 2)
  // A last column that is too wide goes on in lines of its own, unless that would be a column of words.
  const room = terminal.columns - indent
  const isWrapped = room >= narrowest && widths[last]! > room && !right.includes(last)
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => pad(cell, widths[i]!, right.includes(i))).join(columnGap)}`.trimEnd()
  const lines = (cells: readonly string[]) => {
    if (!isWrapped) return [line(cells)]
    const [first = '', ...more] = wrap(cells[last] ?? '', room)
    return [
      `  ${[...cells.slice(0, last).map((cell, i) => pad(cell, widths[i]!, right.includes(i))), first].join(columnGap)}`.trimEnd(),
      ...more.map((text) => ' '.repeat(indent) + text),
    ]
  }
  return [paint(line(columns), dim, terminal), ...texts.flatMap(lines)]
}

/** `label: value`; of a table `name column=value …`. Words of a label are joined, so that each line splits at its first colon. */
function plain(block: Block, terminal: Terminal): string[] {
  switch (block.type) {
    case 'title':
    case 'drawing':
    case 'next':
      return []
    case 'verdict':
      return [`verdict: ${block.sentences.join(' ')}`]
    case 'facts':
      return block.facts.map(({ value }, i) => `${key(labelOf(block.facts, i))}: ${plainCell(value)}`)
    case 'table':
      return block.rows.map(
        (row) =>
          `${block.name}: ${row.map((cell, i) => `${key(block.columns[i]!)}=${quoted(plainCell(cell))}`).join(' ')}`,
      )
    case 'problems':
      return block.problems.map(({ mark, text }) => `${mark}: ${toAscii(text, terminal)}`)
  }
}

/** A fact without a label goes on with the one before it. */
function labelOf(facts: readonly Fact[], i: number): string {
  const { label } = facts[i]!
  return label === '' && i > 0 ? labelOf(facts, i - 1) : label
}

function key(label: string): string {
  return label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '')
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}

function plainCell(cell: Cell): string {
  if (typeof cell === 'string') return cell
  return cell.text === undefined ? cell.mark : `${cell.mark} ${cell.text}`
}

function cellText(cell: Cell, terminal: Terminal): string {
  if (typeof cell === 'string') return cell
  const mark = markText(cell.mark, terminal)
  return cell.text === undefined ? mark : `${mark} ${cell.text}`
}

function paint(text: string, code: number, { hasColor }: Terminal): string {
  return hasColor ? `\x1b[${code}m${text}\x1b[0m` : text
}

function pad(text: string, width: number, isRight = false): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return isRight ? space + text : text + space
}

/** Breaks between words; a word that is longer than the width stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

const substitutes: readonly [RegExp, string][] = [
  [/[─━]/g, '-'],
  [/▶/g, '>'],
  [/◀/g, '<'],
  [/│/g, '|'],
  [/[┌┐└┘├┤┬┴┼]/g, '+'],
  [/✓/g, 'ok'],
  [/✗/g, 'FAIL'],
  [/·/g, '-'],
  [/…/g, '...'],
  [/→/g, '->'],
  [/←/g, '<-'],
  [/×/g, 'x'],
  [/–/g, '-'],
  [/[▁▂]/g, '_'],
  [/[▃▄]/g, '-'],
  [/[▅▆]/g, '='],
  [/▇/g, '#'],
  [/▲/g, '^'],
  [/▼/g, 'v'],
]

function toAscii(text: string, { hasUnicode }: Terminal): string {
  if (hasUnicode) return text
  return substitutes.reduce((line, [pattern, ascii]) => line.replace(pattern, ascii), text)
}

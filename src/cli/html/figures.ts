/** Figures as SVG, 760 wide, in the colours of the page. */

import { unreachable } from '../../core/errors.ts'
import type { Mark } from '../screen/blocks.ts'
import { escaped } from './escape.ts'
import type { Figure } from './figure.ts'

const width = 760
const signs: Readonly<Record<Mark, string>> = { ok: '✓', failed: '✗', unknown: '?' }

export function drawn(figure: Figure): string {
  switch (figure.kind) {
    case 'mapping':
      return mapping(figure)
    case 'route':
      return route(figure)
    case 'timeline':
      return timeline(figure)
    default:
      return unreachable(figure)
  }
}

function svg(height: number, title: string, parts: readonly string[]): string {
  return `<svg viewBox="-2 0 ${width + 4} ${height}" role="img" aria-label="${escaped(title)}">${parts.join('')}</svg>`
}

function text(x: number, y: number, words: string, classes: string, anchor = 'middle'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${classes}" text-anchor="${anchor}">${escaped(words)}</text>`
}

function box(
  x: number,
  y: number,
  w: number,
  h: number,
  title: string,
  detail: string,
  classes = '',
): string {
  const middle = x + w / 2
  const lines =
    detail === ''
      ? text(middle, y + h / 2 + 5, fitted(title, w), 'name')
      : text(middle, y + h / 2 - 3, fitted(title, w), 'name') +
        text(middle, y + h / 2 + 15, fitted(detail, w, 7), 'detail')
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${h}" rx="10" class="box ${classes}"/>${lines}`
}

/** What fits into the box, at about so many units a character. */
function fitted(words: string, w: number, unit = 7.6): string {
  const most = Math.floor((w - 12) / unit)
  return words.length <= most ? words : `${words.slice(0, most - 1)}…`
}

function mapping({ local, middle, arms, says }: Figure & { kind: 'mapping' }): string {
  const rowHeight = 46
  const height = Math.max(arms.length * rowHeight, 90) + 16
  const centre = height / 2
  const [you, nat, right] = [
    { x: 0, w: 176 },
    { x: 246, w: 120 },
    { x: 560, w: 200 },
  ]
  const parts = [
    `<path d="M${you.x + you.w} ${centre}H${nat.x}" class="line"/>`,
    box(you.x, centre - 28, you.w, 56, 'you', local),
    box(nat.x, centre - 34, nat.w, 68, middle, '', 'nat'),
  ]
  for (const [i, { destination, port, isFirst }] of arms.entries()) {
    const y = 8 + rowHeight * i + (height - 16 - arms.length * rowHeight) / 2 + rowHeight / 2
    const from = nat.x + nat.w
    const tag = right.x - 84
    const bend = (from + tag) / 2
    const classes = isFirst ? 'line same' : 'line other'
    parts.push(
      `<path d="M${from} ${centre}C${bend} ${round(centre)} ${bend} ${round(y)} ${tag} ${round(y)}H${right.x}" class="${classes}"/>`,
      box(right.x, y - 17, right.w, 34, destination, ''),
      `<g class="${isFirst ? 'same' : 'other'}"><rect x="${tag}" y="${round(y - 12)}" width="64" height="24" rx="12" class="tag"/>${text(right.x - 52, y + 4.5, port, 'port')}</g>`,
    )
  }
  return svg(height, says, parts)
}

function route({ stations, links, back }: Figure & { kind: 'route' }): string {
  const gap = 84
  const boxes = spread(
    stations.map(({ title, detail }) => Math.max(title.length * 8, detail.length * 7) + 28),
    width - gap * (stations.length - 1),
    gap,
  )
  const height = back === undefined ? 92 : 148
  const y = 14
  const h = 64
  const parts = stations.map(({ title, detail }, i) => box(boxes[i]!.x, y, boxes[i]!.w, h, title, detail))
  for (const [i, { label, mark }] of links.entries()) {
    const from = boxes[i]!.x + boxes[i]!.w
    const middle = from + gap / 2
    parts.push(
      `<g class="${mark}"><path d="M${round(from + 4)} ${y + h / 2}H${round(from + gap - 6)}" class="line link"/>`,
      `<circle cx="${round(middle)}" cy="${y + h / 2}" r="11" class="dot"/>${text(middle, y + h / 2 + 5, signs[mark], 'sign')}</g>`,
      text(middle, y + h / 2 - 18, fitted(label, gap + 10, 6.6), 'label'),
    )
  }
  if (back !== undefined) {
    const [left, right] = [boxes[0]!, boxes.at(-1)!].map(({ x, w }) => x + w / 2) as [number, number]
    const low = y + h + 34
    parts.push(
      `<g class="ok"><path d="M${round(right)} ${y + h + 4}C${round(right)} ${low + 16} ${round(left)} ${low + 16} ${round(left)} ${y + h + 6}" class="line link"/></g>`,
      `<rect x="${width / 2 - 110}" y="${low - 12}" width="220" height="26" rx="13" class="pill"/>`,
      text(width / 2, low + 5.5, back, 'name'),
    )
  }
  return svg(height, stations.map(({ title }) => title).join(' to '), parts)
}

/** Boxes as wide as what is in them, and together as wide as there is room. */
function spread(wanted: readonly number[], room: number, gap: number): { x: number; w: number }[] {
  const sum = wanted.reduce((total, one) => total + one, 0)
  const share = (room - sum) / wanted.length
  let x = 0
  return wanted.map((one) => {
    const w = share >= 0 ? one + share : (one * room) / sum
    const placed = { x, w }
    x += w + gap
    return placed
  })
}

function timeline({ rows }: Figure & { kind: 'timeline' }): string {
  const rowHeight = 30
  const [left, right] = [190, 150]
  const span = width - left - right
  const most = Math.max(1, ...rows.map(({ endMs }) => endMs))
  const at = (ms: number) => left + (ms / most) * span
  const height = rows.length * rowHeight + 34
  const parts: string[] = []
  for (const tick of ticksUpTo(most)) {
    parts.push(
      `<path d="M${round(at(tick))} 0V${height - 24}" class="grid"/>`,
      text(at(tick), height - 6, tick === 0 ? '0' : `${tick} ms`, 'detail'),
    )
  }
  for (const [i, { label, startMs, endMs, mark, text: said }] of rows.entries()) {
    const y = i * rowHeight
    const bar = Math.max(6, at(endMs) - at(startMs))
    parts.push(
      text(left - 12, y + 20, fitted(label, left), 'label', 'end'),
      `<rect x="${round(at(startMs))}" y="${y + 7}" width="${round(bar)}" height="16" rx="8" class="bar ${mark}"/>`,
      text(
        Math.min(at(startMs) + bar + 8, width - right + 8),
        y + 20,
        fitted(said, right),
        'detail',
        'start',
      ),
    )
  }
  return svg(height, rows.map(({ label }) => label).join(', '), parts)
}

/** Four or so round numbers. */
function ticksUpTo(most: number): number[] {
  const rough = most / 4
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((one) => one >= rough)!
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(3)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

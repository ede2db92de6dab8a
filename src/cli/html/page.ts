/**
 * A screen as one HTML file, light and dark, for keeping and for sending around: no script runs in it, and it asks
 * nothing of any host. The JSON report is in it too, for whoever wants to look closer.
 */

import { unreachable } from '../../core/errors.ts'
import type { Block, Cell, Mark } from '../screen/blocks.ts'
import { escaped } from './escape.ts'
import { drawn } from './figures.ts'

const signs: Readonly<Record<Mark, string>> = { ok: '✓', failed: '✗', unknown: '?' }

export interface PageOptions {
  readonly title: string
  readonly blocks: readonly Block[]
  readonly report: unknown
  readonly tool: string
}

export function htmlPage({ title, blocks, report, tool }: PageOptions): string {
  const json = JSON.stringify(report).replace(/</g, '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${blocks.map(section).join('\n')}
</main>
<footer>${escaped(tool)}</footer>
<script type="application/json" id="report">${json}</script>
</body>
</html>
`
}

function section(block: Block): string {
  switch (block.type) {
    case 'title':
      return `<header><h1>${escaped(block.left)}</h1><time>${escaped(block.right ?? '')}</time></header>`
    case 'verdict': {
      const mark = block.mark ?? 'ok'
      return `<section class="verdict ${mark}">${sign(mark)}<p>${block.sentences.map(escaped).join(' ')}</p></section>`
    }
    case 'facts':
      return block.facts.length === 0
        ? ''
        : `<dl${block.facts.some(({ label }) => label === '') ? ' class="list"' : ''}>${block.facts.map(({ label, value }) => `<div><dt>${escaped(label)}</dt><dd>${cell(value)}</dd></div>`).join('')}</dl>`
    case 'table':
      return table(block)
    case 'drawing':
      if (block.figure !== undefined) return `<figure>${drawn(block.figure)}</figure>`
      return block.lines.length === 0 ? '' : `<pre>${escaped(block.lines.join('\n'))}</pre>`
    case 'problems':
      return `<ul class="problems">${block.problems.map(({ mark, text }) => `<li class="${mark}">${sign(mark)}<p>${escaped(text)}</p></li>`).join('')}</ul>`
    case 'next':
      return `<section class="next"><h2>Next</h2>${block.commands.map((command) => `<code>${escaped(command)}</code>`).join('')}</section>`
    default:
      return unreachable(block)
  }
}

function table({ columns, rows, right = [] }: Block & { type: 'table' }): string {
  const alignment = (i: number) => (right.includes(i) ? ' class="number"' : '')
  const head = columns.map((name, i) => `<th${alignment(i)}>${escaped(name)}</th>`).join('')
  const body = rows
    .map((row) => `<tr>${row.map((one, i) => `<td${alignment(i)}>${cell(one)}</td>`).join('')}</tr>`)
    .join('')
  return `<div class="table"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

function cell(value: Cell): string {
  if (typeof value === 'string') return escaped(value)
  return `<span class="cell ${value.mark}">${sign(value.mark)}${value.text === undefined ? '' : ` ${escaped(value.text)}`}</span>`
}

const words: Readonly<Record<Mark, string>> = { ok: 'works', failed: 'does not work', unknown: 'not known' }

function sign(mark: Mark): string {
  return `<span class="sign" role="img" aria-label="${words[mark]}">${signs[mark]}</span>`
}

const style = `
:root{--page:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5d6b7c;--line:#dde3ea;--ok:#15803d;--ok-soft:#e3f5e9;--failed:#c02626;--failed-soft:#fdeaea;--unknown:#a16207;--unknown-soft:#fdf3d8;--accent:#2563eb;--accent-soft:#e6eefd}
@media (prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e27;--ink:#e6ecf3;--soft:#94a3b5;--line:#2a3441;--ok:#4ade80;--ok-soft:#12301f;--failed:#f87171;--failed-soft:#3a1a1c;--unknown:#fbbf24;--unknown-soft:#352a10;--accent:#7aa7ff;--accent-soft:#1b2a47}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:56rem;margin:0 auto;padding:2.5rem 1.25rem 1rem;display:grid;gap:1.25rem}
header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.25rem 1rem;align-items:baseline}
h1{font-size:1rem;font-weight:600;margin:0;color:var(--soft);overflow-wrap:anywhere}
time,footer{color:var(--soft);font-size:.875rem;font-variant-numeric:tabular-nums}
h2{font-size:.8rem;font-weight:600;margin:0 0 .5rem;color:var(--soft);text-transform:uppercase;letter-spacing:.06em}
.verdict,figure,dl,.table,.problems,.next,pre{background:var(--card);border:1px solid var(--line);border-radius:14px;margin:0;padding:1.1rem 1.35rem}
.verdict{display:flex;gap:.9rem;align-items:flex-start;font-size:1.3rem;line-height:1.4;font-weight:600;border-width:1px 1px 1px 6px}
.verdict p{margin:0}
.ok{--tone:var(--ok);--tone-soft:var(--ok-soft)}.failed{--tone:var(--failed);--tone-soft:var(--failed-soft)}.unknown{--tone:var(--unknown);--tone-soft:var(--unknown-soft)}
.verdict{border-left-color:var(--tone)}
.sign{color:var(--tone);font-weight:700}
.verdict .sign,.problems .sign{flex:none;display:grid;place-items:center;width:1.7em;height:1.7em;margin-top:-.1em;border-radius:50%;background:var(--tone-soft);font-size:.95em}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:.35rem 2rem}
dl.list{grid-template-columns:1fr}
dl div{display:grid;grid-template-columns:9.5rem 1fr;gap:.75rem;padding:.2rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.table{overflow-x:auto;padding:.35rem 1.35rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:600;font-size:.85rem;white-space:nowrap}
th,td{padding:.55rem 1rem .55rem 0;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
tbody tr:last-child td{border-bottom:0}
td:first-child{white-space:nowrap}
.number{text-align:right;white-space:nowrap}
.problems{list-style:none;display:grid;gap:.9rem}
.problems li{display:flex;gap:.8rem}.problems p{margin:0;overflow-wrap:anywhere}
.next code,pre{font:.9rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.next code{display:block;overflow-wrap:anywhere}
pre{overflow-x:auto}
figure{overflow-x:auto}
svg{display:block;width:100%;min-width:34rem;height:auto;font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg .box{fill:var(--page);stroke:var(--line);stroke-width:1.5}
svg .nat{fill:var(--accent-soft);stroke:var(--accent)}
svg text{fill:var(--ink)}svg .name{font-weight:600}svg .detail{fill:var(--soft);font-size:12px}svg .label{fill:var(--soft)}
svg .line{fill:none;stroke:var(--soft);stroke-width:1.75}
svg .link{stroke:var(--tone)}svg .failed .link{stroke-dasharray:5 6}
svg .dot{fill:var(--card);stroke:var(--tone);stroke-width:1.75}svg .sign{fill:var(--tone);font-weight:700}
svg .same .tag{fill:var(--accent-soft)}svg .same .port{fill:var(--accent)}svg .line.same{stroke:var(--accent)}
svg .other .tag{fill:var(--unknown-soft)}svg .other .port{fill:var(--unknown)}svg .line.other{stroke:var(--unknown)}
svg .port{font-weight:600;font-variant-numeric:tabular-nums}
svg .pill{fill:var(--card);stroke:var(--line)}
svg .grid{stroke:var(--line);stroke-width:1}
svg .bar{fill:var(--tone)}
footer{max-width:56rem;margin:0 auto;padding:0 1.25rem 2.5rem}
@media print{body{background:#fff}main{padding:0}}
`

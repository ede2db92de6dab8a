/** What a punch came to, beside what was predicted. */

import type { PunchPath, PunchReport, TriedPair } from '../probe/punch.ts'
import type { Figure } from './html/figure.ts'
import type { Block, Fact, Mark } from './screen/blocks.ts'

/** Limit: pairs on the screen; --verbose has them all. */
const maxPairs = 12

/** A pair's result in words: most ends of a checklist are silence. */
function resultOf({ state, failure }: TriedPair): { mark: Mark; text: string } {
  if (state === 'succeeded') return { mark: 'ok', text: 'works' }
  if (failure === 'pruned') return { mark: 'unknown', text: 'not needed' }
  if (failure !== null) return { mark: 'failed', text: failure }
  return state === 'in-progress' ? { mark: 'failed', text: 'no answer' } : { mark: 'unknown', text: state }
}

export function punchScreen(
  report: PunchReport,
  { verbose }: { readonly verbose: boolean } = { verbose: false },
): Block[] {
  const { connected, path, pairs, prediction } = report
  const mark: Mark = connected.value === null ? 'unknown' : connected.value ? 'ok' : 'failed'
  const blocks: Block[] = [
    { type: 'title', left: 'turnpike punch' },
    { type: 'verdict', mark, sentences: [verdictOf(report)] },
    { type: 'facts', facts: factsOf(report) },
  ]
  if (path !== null) {
    const arrow = report.first === 'theirs' ? '◀──' : '──▶'
    blocks.push({
      type: 'drawing',
      lines: [
        `us ── ${path.local.type} ${path.local.address} ${arrow} ${path.remote.type} ${path.remote.address} ── them`,
      ],
      figure: figureOf(path),
    })
  }
  if (pairs.length > 0) {
    blocks.push({
      type: 'table',
      name: 'pair',
      columns: ['Ours', 'Theirs', 'Result'],
      rows: (verbose ? pairs : pairs.slice(0, maxPairs)).map((pair) => [
        pair.local,
        pair.remote,
        resultOf(pair),
      ]),
    })
  }
  if (connected.value === false) {
    blocks.push({
      type: 'next',
      commands: ['turnpike check turn:…   a relay connects these two; does yours work?'],
    })
  }
  if (prediction.path === 'unknown' || connected.value === null) {
    blocks.push({ type: 'next', commands: ['turnpike nat stun:…   says what is not known of this side'] })
  }
  return blocks
}

function figureOf({ local, remote, rttMs }: PunchPath): Figure {
  return {
    kind: 'route',
    stations: [
      { title: 'us', detail: `${local.type} ${local.address}` },
      { title: 'them', detail: `${remote.type} ${remote.address}` },
    ],
    links: [{ label: 'direct', mark: 'ok' }],
    back: rttMs === null ? undefined : `${rttMs} ms`,
  }
}

function verdictOf({ connected, asPredicted, prediction }: PunchReport): string {
  if (connected.value === null) return `It was not found out: ${connected.reason}.`
  const result = connected.value
    ? 'These two connect directly'
    : 'These two do not connect directly; they need a relay (TURN)'
  if (asPredicted.value === true) return `${result}, as predicted.`
  if (asPredicted.value === null) return `${result}. The prediction had left it open.`
  return `${result}, though it was predicted that they ${prediction.path === 'direct' ? 'would' : 'would not'}.`
}

function factsOf({ firstDataMs, first, path, prediction }: PunchReport): Fact[] {
  const facts: Fact[] = []
  if (path !== null && firstDataMs !== null) {
    facts.push({ label: 'First data', value: `after ${firstDataMs} ms` })
    if (first !== null) {
      facts.push({
        label: 'Came through',
        value: first === 'ours' ? 'our packets first' : 'their packets before an answer to ours',
      })
    }
    if (path.rttMs !== null) facts.push({ label: 'Round trip', value: `${path.rttMs} ms` })
  }
  facts.push({ label: 'Predicted', value: prediction.summary })
  facts.push(
    ...prediction.reasons.map((reason, i) => ({ label: i === 0 ? 'Because' : '', value: sideOf(reason) })),
  )
  return facts
}

/** A prediction speaks of the first and the second of two reports; here they have places. */
function sideOf(reason: string): string {
  return reason.replace(/^first: /, 'here: ').replace(/^second: /, 'there: ')
}

/** The screen of `turnpike check`: does it relay, by which ways, what the way looks like, what is wrong and the cure. */

import type { CheckReport, StepName, TransportReport } from '../probe/check/report.ts'
import type { Figure } from './html/figure.ts'
import type { Block, Cell, Fact } from './screen/blocks.ts'

export interface CheckScreenOptions {
  readonly verbose: boolean
}

export function checkScreen(report: CheckReport, { verbose }: CheckScreenOptions): Block[] {
  const { transports, ok, summary, durationMs, time, isPartial, policy } = report
  const uris = [...new Set(transports.map(({ uri }) => uri))]
  const named = transports.filter(({ isNamed }) => isNamed)
  const beside = transports.filter((one) => !one.isNamed && isOffered(one))
  const title: Block = {
    type: 'title',
    left: `turnpike check · ${uris.length === 1 ? uris[0] : `${uris.length} servers`} · ${(durationMs / 1000).toFixed(1)} s${isPartial ? ' · not finished' : ''}`,
    right: time.replace('T', ' ').slice(0, 16),
  }
  return [
    title,
    { type: 'verdict', mark: ok === null ? 'unknown' : ok ? 'ok' : 'failed', sentences: [summary] },
    ...placeTable('place', 'Asked for', named),
    ...placeTable('beside', 'Also there', beside),
    factsOf(report),
    ...drawing(named),
    ...(policy === null ? [] : policyTable(report)),
    ...(verbose ? [stepTable(transports)] : []),
    ...problemsOf(report),
    { type: 'next', commands: nextOf(report) },
  ]
}

function isOffered({ ok, steps }: TransportReport): boolean {
  return ok !== null || steps.some((one) => one.step === 'challenge' && one.ok === true)
}

function placeOf({ transport, port }: TransportReport): string {
  return `${transport} ${port}`
}

/** With the address where there is more than one server or family. */
function placeTable(name: string, heading: string, transports: readonly TransportReport[]): Block[] {
  if (transports.length === 0) return []
  const hosts = new Set(transports.map(({ address }) => address?.replace(/:\d+$/, '') ?? ''))
  const rows = transports.map((one): Cell[] => {
    const [reached, tls] = [stepCell(one, ['connect', 'challenge']), certificateCell(one)]
    const relay = stepCell(one, ['allocate', 'permission', 'channel', 'echo'], true)
    const { echo } = one
    return [
      hosts.size > 1 ? `${one.transport} ${one.address ?? one.uri}` : placeOf(one),
      reached,
      tls,
      relay,
      echo?.p50Ms == null ? '–' : `${echo.p50Ms.toFixed(1)} / ${echo.p95Ms!.toFixed(1)} ms`,
      echo?.jitterMs == null ? '–' : `${echo.jitterMs.toFixed(1)} ms`,
      echo?.loss == null ? '–' : `${Math.round(echo.loss * 1000) / 10} %`,
    ]
  })
  const columns = [heading, 'Reached', 'TLS', 'Relays', 'RTT p50/p95', 'Jitter', 'Loss']
  return [{ type: 'table', name, columns, rows, right: [4, 5, 6] }]
}

/** The first of these steps that failed, or the time that the first one took. */
function stepCell(report: TransportReport, names: readonly StepName[], isQuiet = false): Cell {
  const steps = names.flatMap((name) => report.steps.filter(({ step }) => step === name))
  const bad = steps.find(({ ok }) => ok === false)
  if (bad !== undefined)
    return bad.code === null ? { mark: 'failed' } : { mark: 'failed', text: `${bad.code}` }
  const first = steps[0]
  if (first === undefined) return '–'
  if (steps.some(({ ok }) => ok === null)) return { mark: 'unknown' }
  return isQuiet ? { mark: 'ok' } : { mark: 'ok', text: `${(first.ms ?? 0).toFixed(1)} ms` }
}

function certificateCell({ certificate, steps }: TransportReport): Cell {
  const tls = steps.find(({ step }) => step === 'tls')
  if (tls === undefined) return '–'
  if (tls.ok !== true) return { mark: tls.ok === null ? 'unknown' : 'failed' }
  return { mark: 'ok', text: `${certificate!.daysLeft} d` }
}

function factsOf({ transports }: CheckReport): Block {
  const relays =
    transports.find(({ echo }) => echo !== null) ??
    transports.find(({ relayed }) => relayed.IPv4 ?? relayed.IPv6)
  const software = transports.find((one) => one.software !== null)?.software
  const certificate = transports.find((one) => one.certificate !== null)?.certificate
  const absent = transports.filter((one) => !isOffered(one)).map(placeOf)
  const facts: (Fact | undefined)[] = [
    software == null ? undefined : { label: 'Software', value: software },
    ...(relays === undefined ? [] : familyFacts(relays)),
    certificate == null
      ? undefined
      : {
          label: 'Certificate',
          value: `${certificate.name || 'no name'}, ${daysOf(certificate.daysLeft)}, ${certificate.protocol}, ALPN ${certificate.alpn ?? 'none'}`,
        },
    relays?.echo == null ? undefined : { label: 'Echo', value: echoOf(relays) },
    absent.length === 0 ? undefined : { label: 'Not there', value: [...new Set(absent)].join(', ') },
  ]
  return { type: 'facts', facts: facts.filter((one) => one !== undefined) }
}

function daysOf(days: number): string {
  return days < 0 ? `expired ${-days} days ago` : `${days} days left`
}

function familyFacts({ relayed, steps }: TransportReport): Fact[] {
  const other = steps.find(({ step }) => step === 'allocate-other-family')
  return (['IPv4', 'IPv6'] as const).map((family) => {
    const value = relayed[family]
    return {
      label: `Relayed ${family}`,
      value: value ?? { mark: 'unknown' as const, text: other?.detail ?? 'not asked for' },
    }
  })
}

function echoOf({ echo }: TransportReport): string {
  const way = echo!.by === 'relay' ? 'from one allocation to another' : 'to a UDP socket of this host'
  return `${echo!.received} of ${echo!.sent} packets of ${echo!.payloadBytes} bytes, ${way}`
}

/** The way that packets took, or how far they got. */
function drawing(named: readonly TransportReport[]): Block[] {
  const one = named.find(({ ok }) => ok === true) ?? named[0]
  if (one === undefined) return []
  const figures: Block[] = [{ type: 'drawing', lines: [], figure: timelineOf(one) }]
  return [{ type: 'drawing', lines: linesOf(one), figure: routeOf(one) }, ...figures]
}

function linesOf(one: TransportReport): string[] {
  const { steps, relayed, echo } = one
  const failed = steps.find(({ ok }) => ok === false)
  const wire = ` ──${placeOf(one)}──`
  const host = hostOf(one.uri)
  const relay = relayed.IPv4 ?? relayed.IPv6
  if (relay === null) {
    const isSilent = isBefore(failed?.step)
    return [`you${wire}${isSilent ? '✗' : '▶'} ${host}${isSilent ? '' : ' ──✗ no relay'}`]
  }
  const arrow = echo !== null && echo.received > 0 ? '▶' : '✗'
  const line = `you${wire}▶ ${host} ──▶ ${relay} ──${arrow} ${behindOf(one)}`
  if (arrow === '✗') return [line]
  const width = [...line].length
  const said = ` ${echo!.p50Ms!.toFixed(1)} ms `
  const run = width - 3 - [...said].length
  const left = Math.max(2, Math.floor(run / 2))
  const back = `└${'─'.repeat(left)}${said}${'─'.repeat(Math.max(2, run - left) + 2)}┘`
  return [`${line} ┐`, ` ▲${' '.repeat(width - 1)}│`, ` ${back}`]
}

/** Whether it failed before the server had said anything. */
function isBefore(step: StepName | undefined): boolean {
  return step === 'resolve' || step === 'connect' || step === 'challenge'
}

function behindOf({ echo }: TransportReport): string {
  return echo?.by === 'socket' ? 'a socket of yours' : 'a second relay'
}

function routeOf(one: TransportReport): Figure {
  const { steps, relayed, echo } = one
  const failed = steps.find(({ ok }) => ok === false)
  const relay = relayed.IPv4 ?? relayed.IPv6
  const isSilent = relay === null && isBefore(failed?.step)
  const came = echo !== null && echo.received > 0
  return {
    kind: 'route',
    stations: [
      { title: 'you', detail: '' },
      { title: hostOf(one.uri), detail: one.software ?? '' },
      { title: relay ?? 'no relay', detail: relay === null ? '' : 'relayed address' },
      { title: behindOf(one), detail: '' },
    ],
    links: [
      { label: placeOf(one), mark: isSilent ? 'failed' : 'ok' },
      { label: 'allocate', mark: isSilent ? 'unknown' : relay === null ? 'failed' : 'ok' },
      { label: 'relay', mark: relay === null ? 'unknown' : came ? 'ok' : 'failed' },
    ],
    back: came ? `${echo.p50Ms!.toFixed(1)} ms, ${echo.received} of ${echo.sent} back` : undefined,
  }
}

function timelineOf(one: TransportReport): Figure {
  let startMs = 0
  const rows = one.steps
    .filter(({ ms }) => ms !== null)
    .map(({ step, ms, ok, detail }) => {
      const row = {
        label: step,
        startMs,
        endMs: startMs + ms!,
        mark: ok === null ? ('unknown' as const) : ok ? ('ok' as const) : ('failed' as const),
        text: ok === true ? `${ms!.toFixed(1)} ms` : (detail ?? ''),
      }
      startMs = row.endMs
      return row
    })
  return { kind: 'timeline', rows }
}

function hostOf(uri: string): string {
  return uri
    .replace(/^turns?:/, '')
    .replace(/[?].*$/, '')
    .replace(/:\d+$/, '')
}

function policyTable({ policy }: CheckReport): Block[] {
  if (policy!.length === 0) return []
  const open = policy!.filter(({ refused }) => refused === null)
  // Where there is no relay of a family, one line says it.
  const isFamily = open.length > 1 && open.every(({ detail }) => detail === open[0]!.detail)
  const shown = isFamily
    ? [
        ...policy!.filter(({ refused }) => refused !== null),
        { ...open[0]!, range: 'the others', peer: `${open.length} addresses` },
      ]
    : policy!
  const rows = shown.map(({ range, peer, refused, detail }): Cell[] => [
    range,
    peer,
    { mark: refused === null ? 'unknown' : refused ? 'ok' : 'failed', text: detail },
  ])
  return [{ type: 'table', name: 'policy', columns: ['It has to refuse', 'Asked for', 'Answer'], rows }]
}

function stepTable(transports: readonly TransportReport[]): Block {
  const rows = transports.flatMap((one) =>
    one.steps.map(({ step, ok, ms, detail }): Cell[] => [
      placeOf(one),
      step === 'allocate-other-family' ? 'other family' : step,
      ms === null ? '–' : `${ms.toFixed(1)} ms`,
      { mark: ok === null ? 'unknown' : ok ? 'ok' : 'failed', text: detail ?? '' },
    ]),
  )
  return { type: 'table', name: 'step', columns: ['Place', 'Step', 'Took', 'Result'], rows, right: [2] }
}

function problemsOf({ problems }: CheckReport): Block[] {
  if (problems.length === 0) return []
  return [
    {
      type: 'problems',
      problems: problems.map(({ severity, where, what, fix }) => ({
        mark: severity === 'error' ? 'failed' : 'unknown',
        text: `${where}: ${what}. ${fix}`,
      })),
    },
  ]
}

function nextOf({ ok, transports, policy }: CheckReport): string[] {
  const uri = transports[0]?.uri ?? 'turn:…'
  if (ok !== true) return [`turnpike check ${uri} … -v`]
  return [...(policy === null ? [`turnpike check ${uri} … --policy`] : []), `turnpike ping ${uri}`]
}

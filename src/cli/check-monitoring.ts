/** A check for machines that watch: the one line of a Nagios plug-in, and metrics in Prometheus' text format. */

import type { CheckReport, TransportReport } from '../probe/check/report.ts'

/** https://nagios-plugins.org/doc/guidelines.html: what the exit code means there. */
export const nagiosStates = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const

export function nagiosOf(report: CheckReport): { readonly line: string; readonly code: number } {
  const { ok, problems, transports, summary } = report
  const named = transports.filter(({ isNamed }) => isNamed)
  const warns = named.some((one) => one.problems.some(({ severity }) => severity === 'warning'))
  const code = ok === null ? 3 : ok ? (warns ? 1 : 0) : 2
  const said =
    code === 0
      ? summary
      : [summary, ...problems.slice(0, 1).map(({ where, what }) => `${where}: ${what}`)].join(' ')
  const data = named.flatMap((one) => performanceOf(one, named.length > 1)).join(' ')
  return { line: `TURN ${nagiosStates[code]} - ${said}${data === '' ? '' : ` | ${data}`}\n`, code }
}

/** What a plug-in says that could not do what it was asked for: not that the server is at fault. */
export function nagiosFault(message: string): { readonly line: string; readonly code: number } {
  const [what = ''] = message.replace(/^error: /, '').split('\n')
  return { line: `TURN UNKNOWN - ${what.replaceAll('|', ' ')}\n`, code: nagiosStates.indexOf('UNKNOWN') }
}

function performanceOf(report: TransportReport, isPrefixed: boolean): string[] {
  const { echo, certificate, transport, port } = report
  const label = (name: string) => (isPrefixed ? `${transport}_${port}_${name}` : name)
  return [
    ...(echo?.p50Ms == null
      ? []
      : [`${label('rtt')}=${echo.p50Ms}ms;;;0`, `${label('rtt_p95')}=${echo.p95Ms}ms;;;0`]),
    ...(echo?.jitterMs == null ? [] : [`${label('jitter')}=${echo.jitterMs}ms;;;0`]),
    ...(echo?.loss == null ? [] : [`${label('loss')}=${Math.round(echo.loss * 10_000) / 100}%;;;0;100`]),
    ...(certificate === null ? [] : [`${label('cert_days')}=${certificate.daysLeft};14:;0:`]),
  ]
}

interface Metric {
  readonly name: string
  readonly help: string
  samples(
    report: TransportReport,
  ): readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]
}

const metrics: readonly Metric[] = [
  {
    name: 'up',
    help: '1 where the server relays, 0 where it does not, NaN where that is not known.',
    samples: ({ ok }) => [[{}, ok === null ? Number.NaN : ok ? 1 : 0]],
  },
  {
    name: 'step_seconds',
    help: 'How long each step took.',
    samples: ({ steps }) =>
      steps.flatMap(({ step, ms }) => (ms === null ? [] : [[{ step }, ms / 1000] as const])),
  },
  {
    name: 'rtt_seconds',
    help: 'Round trips through the relay.',
    samples: ({ echo }) =>
      (
        [
          ['0.5', echo?.p50Ms],
          ['0.95', echo?.p95Ms],
        ] as const
      ).flatMap(([quantile, ms]) => (ms == null ? [] : [[{ quantile }, ms / 1000] as const])),
  },
  {
    name: 'jitter_seconds',
    help: 'Jitter of the round trips (RFC 3550).',
    samples: ({ echo }) => (echo?.jitterMs == null ? [] : [[{}, echo.jitterMs / 1000]]),
  },
  {
    name: 'loss_ratio',
    help: 'Packets that did not come back through the relay.',
    samples: ({ echo }) => (echo?.loss == null ? [] : [[{}, echo.loss]]),
  },
  {
    name: 'certificate_days',
    help: 'Days until the certificate expires.',
    samples: ({ certificate }) => (certificate === null ? [] : [[{}, certificate.daysLeft]]),
  },
  {
    name: 'problem',
    help: '1 for each problem that was found (docs/check.md has the codes).',
    samples: ({ problems }) => problems.map(({ code, severity }) => [{ code, severity }, 1]),
  },
]

/** What is named, and what is there besides. */
export function prometheusOf({ transports, policy, time }: CheckReport): string {
  const shown = transports.filter(({ isNamed, ok }) => isNamed || ok !== null)
  const families = metrics.map(({ name, help, samples }) => ({
    name,
    help,
    lines: shown.flatMap((report) => {
      const { uri, transport, address, port } = report
      const place = { uri, transport, address: address ?? '', port: `${port}` }
      return samples(report).map(([labels, value]) => `${labelled({ ...place, ...labels })} ${value}`)
    }),
  }))
  const allowed = policy?.filter(({ refused }) => refused === false).length
  const all = [
    ...families,
    ...(allowed === undefined
      ? []
      : [
          {
            name: 'policy_allowed',
            help: 'Peers that it should refuse and does not.',
            lines: [` ${allowed}`],
          },
        ]),
    { name: 'timestamp_seconds', help: 'When this was measured.', lines: [` ${Date.parse(time) / 1000}`] },
  ]
  return all
    .filter(({ lines }) => lines.length > 0)
    .map(({ name, help, lines }) => {
      const full = `turnpike_check_${name}`
      return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.map((line) => `${full}${line}\n`).join('')}`
    })
    .join('')
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const escaped = (text: string) => text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`
}

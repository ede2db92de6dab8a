/** The `benchmark` package for micro-benchmarks: cases in order, a failed case fails the run. */

import Benchmark from 'benchmark'

export interface Case {
  readonly name: string
  readonly run: () => unknown
}

export interface Figure {
  readonly name: string
  readonly nanoseconds: number
  /** The half-width of the 95 % confidence interval, in per cent of the mean. */
  readonly marginPercent: number
}

/** Measures each case in turn, in this process, for about so long, and says each result as it comes. */
export async function measure(cases: readonly Case[], seconds = 5): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, run } of cases) {
    const figure = await measureOne(name, run, seconds)
    figures.push(figure)
    process.stderr.write(`${figure.name.padEnd(58)} ${format(figure)}\n`)
  }
  return figures
}

export function format({ nanoseconds, marginPercent }: Figure): string {
  return `${nanoseconds.toFixed(0)} ns ±${marginPercent.toFixed(1)} %`
}

function measureOne(name: string, run: () => unknown, maxTime: number): Promise<Figure> {
  return new Promise((resolve, reject) => {
    new Benchmark(name, run, {
      async: true,
      maxTime,
      onComplete: ({ target }: { target: Benchmark }) => {
        // The package keeps what a case throws to itself.
        if (target.error !== undefined) reject(target.error)
        else resolve({ name, nanoseconds: 1e9 / (target.hz ?? 0), marginPercent: target.stats?.rme ?? 0 })
      },
    }).run()
  })
}

/** Probes every recipe, several at a time, and writes what was found: `{"name":…,"report":…}`, one a line. */

import type { LifetimeReport } from '../../../src/probe/lifetime.ts'
import type { ProbeReport } from '../../../src/probe/report.ts'
import { Lab, serverAddresses } from './lab.ts'
import type { ProbeOrder } from './probe-client.ts'
import { type Recipe, recipes } from './recipes.ts'

/** Probes wait more than they work. */
const atOnce = 6
/** A machine that is too busy leaves something open, which is no wrong word: it is asked again. */
const attempts = 3

const lab = new Lab()
await Promise.all([lab.serve(), lab.servePlain()])
const wanted = process.argv.slice(2)
const chosen = recipes.filter(({ name }) => wanted.length === 0 || wanted.includes(name.split(' ')[0]!))
// Lifetimes take the longest: they begin first.
const queue = chosen
  .toSorted((x, y) => Number(y.ladder !== undefined) - Number(x.ladder !== undefined))
  .map((recipe) => ({ recipe, client: lab.home(recipe).client }))

async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { recipe, client } = next
    let report: ProbeReport | LifetimeReport | undefined
    for (let attempt = 0; attempt < attempts && !isAnswered(recipe, report); attempt++) {
      report = await probe(recipe, client)
    }
    process.stdout.write(`${JSON.stringify({ name: recipe.name, report })}\n`)
  }
}

async function probe(
  { hairpin, ladder, byRelay, port = 3478 }: Recipe,
  client: string,
): Promise<ProbeReport | LifetimeReport> {
  const { first, third, fourth } = serverAddresses
  const servers =
    byRelay === true ? { server: `${fourth}:3478`, relay: `${third}:3478` } : { server: `${first}:${port}` }
  const order: ProbeOrder = { ...servers, hairpin, ladder }
  return JSON.parse(await lab.output(client, 'test/support/lab/probe-client.ts', [JSON.stringify(order)]))
}

/** Whether everything that the recipe asks for has an answer, right or wrong. */
function isAnswered(recipe: Recipe, report: ProbeReport | LifetimeReport | undefined): boolean {
  if (report === undefined) return false
  if ('single' in report) return report.single.aliveS !== null && report.stream.aliveS !== null
  const hasAnswer = (wanted: unknown, found: unknown): boolean => {
    if (typeof wanted !== 'object' || wanted === null) return found !== null || wanted === null
    return Object.entries(wanted).every(([key, value]) =>
      hasAnswer(value, (found as Record<string, unknown> | null)?.[key] ?? null),
    )
  }
  return hasAnswer(recipe.udp, report.families.udp4) && hasAnswer(recipe.tcp ?? {}, report.families.tcp4)
}

await Promise.all(Array.from({ length: atOnce }, work))
lab.close()
process.exit(0)

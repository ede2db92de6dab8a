/**
 * Every pair of kinds of NAT, two homes each: measures both, then has them try. Writes one line for each pair, and one of
 * `turnpike punch` as two people would use it.
 */

import { createInterface } from 'node:readline'
import type { PunchReport } from '../../../src/probe/punch.ts'
import { type Home, Lab, serverAddresses } from './lab.ts'
import type { PunchAnswer, PunchOrder } from './punch-worker.ts'
import { type Recipe, recipes } from './recipes.ts'

const atOnce = 6
/** Where it was predicted, a machine that is too busy may have kept two from connecting: they try again. */
const attempts = 3

const numbers = ['1', '2', '3', '5', '6', '10', '11']
const kinds = numbers.map((number) => recipes.find(({ name }) => name.startsWith(`${number} `))!)
const server = `${serverAddresses.first}:3478`

type Unnumbered = PunchOrder extends infer Order ? (Order extends unknown ? Omit<Order, 'id'> : never) : never

class Worker {
  readonly #orders: { write(text: string): unknown }
  readonly #waiting = new Map<number, (answer: PunchAnswer) => void>()
  #next = 1

  constructor(lab: Lab, { client }: Home) {
    const child = lab.node(client, 'test/support/lab/punch-worker.ts', [server])
    this.#orders = child.stdin!
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const answer: PunchAnswer = JSON.parse(line)
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  ask(order: Unnumbered): Promise<PunchAnswer> {
    const id = this.#next++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#orders.write(`${JSON.stringify({ ...order, id })}\n`)
    })
  }

  /** Until mapping and filtering are known. */
  async measure(): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const nat = (await this.ask({ type: 'nat' })).nat?.families.udp4?.nat
      if (nat?.mapping.value != null && nat.filtering.value !== null) return
    }
  }
}

async function tryPair(a: Worker, b: Worker): Promise<readonly PunchReport[]> {
  for (let attempt = 1; ; attempt++) {
    const [one, other] = await Promise.all([
      a.ask({ type: 'open', begins: true }),
      b.ask({ type: 'open', begins: false }),
    ])
    const answers = await Promise.all([
      a.ask({ type: 'connect', punch: one.id, code: other.code! }),
      b.ask({ type: 'connect', punch: other.id, code: one.code! }),
    ])
    const reports = answers.map(({ report }) => report!)
    const isMissed = reports.some(
      ({ connected, prediction }) => prediction.path === 'direct' && connected.value === false,
    )
    if (!isMissed || attempt === attempts) return reports
  }
}

/** The first shows a code, the other takes it and shows one, which the first is given. */
async function byCommand(lab: Lab, a: Home, b: Home): Promise<readonly PunchReport[]> {
  const first = lab.command(a.client, ['punch', '--stun', `stun:${server}`, '--json'])
  const [, code] = await first.waitFor(/turnpike punch (tp1\.\S+)/)
  const second = lab.command(b.client, ['punch', code!, '--json'])
  const [answer] = await second.waitFor(/^tp1\.\S+$/m)
  first.write(`${answer}\n`)
  return Promise.all([first, second].map(async ({ ended }) => JSON.parse(await ended)))
}

const lab = new Lab()
await lab.serve()
const sides = kinds.map((recipe) => [lab.home(recipe), lab.home(recipe)] as const)
const commands = byCommand(lab, lab.home(kinds[2]!), lab.home(kinds[2]!))
const workers = sides.map((homes) => homes.map((home) => new Worker(lab, home)))
const unmeasured = workers.flat()
const pairs = kinds.flatMap((x, i) => kinds.slice(i).map((y, j) => ({ x, y, i, j: i + j })))

async function inTurns<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function write(pair: readonly Pick<Recipe, 'name'>[], reports: readonly PunchReport[]): void {
  process.stdout.write(`${JSON.stringify({ pair: pair.map(({ name }) => name), reports })}\n`)
}

await inTurns(unmeasured, (worker) => worker.measure())
await inTurns(pairs, async ({ x, y, i, j }) => write([x, y], await tryPair(workers[i]![0]!, workers[j]![1]!)))
write([{ name: 'command' }], await commands)
lab.close()
process.exit(0)

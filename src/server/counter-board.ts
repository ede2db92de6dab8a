/** A thread's counters in shared memory: the thread writes them there now and then, others read them whenever they like. */

import { ServerCounters } from '../turn/counters.ts'

type Name = Exclude<keyof ServerCounters, 'drops'>

const { drops: allDrops, ...allNumbers } = new ServerCounters()
const names = Object.keys(allNumbers) as Name[]
const reasons = Object.keys(allDrops) as (keyof ServerCounters['drops'])[]

export function newCounterBoard(): SharedArrayBuffer {
  return new SharedArrayBuffer((names.length + reasons.length) * Float64Array.BYTES_PER_ELEMENT)
}

export class CounterWriter {
  readonly #numbers: Float64Array
  readonly #counters: ServerCounters

  constructor(board: SharedArrayBuffer, counters: ServerCounters) {
    this.#numbers = new Float64Array(board)
    this.#counters = counters
  }

  write(): void {
    let at = 0
    for (const name of names) this.#numbers[at++] = this.#counters[name]
    for (const reason of reasons) this.#numbers[at++] = this.#counters.drops[reason]
  }
}

/** Adds what the board says, or what other counters have, to `sum`. */
export function addCounters(from: SharedArrayBuffer | ServerCounters, sum: ServerCounters): void {
  if (from instanceof ServerCounters) {
    for (const name of names) sum[name] += from[name]
    for (const reason of reasons) sum.drops[reason] += from.drops[reason]
    return
  }
  const numbers = new Float64Array(from)
  let at = 0
  for (const name of names) sum[name] += numbers[at++]!
  for (const reason of reasons) sum.drops[reason] += numbers[at++]!
}

/** Both together, as a new object. */
export function sumCounters(x: ServerCounters, y: ServerCounters): ServerCounters {
  const sum = new ServerCounters()
  for (const counters of [x, y]) addCounters(counters, sum)
  return sum
}

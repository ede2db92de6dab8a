/**
 * All deadlines of an engine in one ordered structure: a binary heap in which every item knows its place,
 * so that a refresh moves one entry and nothing is left behind.
 */

import type { Instant } from './time.ts'

/** What can be scheduled. The heap writes both fields; others only read `deadline`. */
export interface Expiring {
  deadline: Instant
  heapIndex: number
}

/** The heapIndex of an item that is not scheduled. */
export const unscheduled = -1

export class Deadlines<Item extends Expiring> {
  readonly #heap: Item[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the earliest item is due; undefined when nothing is scheduled. */
  get next(): Instant | undefined {
    return this.#heap[0]?.deadline
  }

  /** All items, in no order. */
  all(): Item[] {
    return [...this.#heap]
  }

  /** Schedules the item, or moves it if it already is. */
  schedule(item: Item, deadline: Instant): void {
    item.deadline = deadline
    if (item.heapIndex === unscheduled) {
      item.heapIndex = this.#heap.length
      this.#heap.push(item)
    }
    this.#siftUp(item)
    this.#siftDown(item)
  }

  cancel(item: Item): void {
    if (item.heapIndex === unscheduled) return
    const last = this.#heap.pop()!
    if (last !== item) {
      last.heapIndex = item.heapIndex
      this.#heap[last.heapIndex] = last
      this.#siftUp(last)
      this.#siftDown(last)
    }
    item.heapIndex = unscheduled
  }

  /** Takes out the earliest item that is due at `now`; undefined when none is. */
  takeDue(now: Instant): Item | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.deadline > now) return undefined
    this.cancel(first)
    return first
  }

  #siftUp(item: Item): void {
    while (item.heapIndex > 0) {
      const parent = this.#heap[(item.heapIndex - 1) >> 1]!
      if (parent.deadline <= item.deadline) return
      this.#swap(item, parent)
    }
  }

  #siftDown(item: Item): void {
    for (;;) {
      const left = this.#heap[item.heapIndex * 2 + 1]
      const right = this.#heap[item.heapIndex * 2 + 2]
      if (left === undefined) return
      const child = right !== undefined && right.deadline < left.deadline ? right : left
      if (item.deadline <= child.deadline) return
      this.#swap(item, child)
    }
  }

  #swap(x: Item, y: Item): void {
    const index = x.heapIndex
    x.heapIndex = y.heapIndex
    y.heapIndex = index
    this.#heap[x.heapIndex] = x
    this.#heap[y.heapIndex] = y
  }
}

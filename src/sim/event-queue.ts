/**
 * Virtual time: a heap of events in the order in which they are due, and among those due at once in the order
 * in which they were added. There are no timers; time moves when the next event is taken.
 */

import { type Instant, instant } from '../core/time.ts'

/** Something that happens at a time. The queue writes the fields; a subclass says what happens. */
export abstract class SimEvent {
  at: Instant = instant(0)
  sequence = 0
  heapIndex = -1

  abstract fire(): void
}

export class EventQueue {
  readonly #heap: SimEvent[] = []
  #sequence = 0
  #now = instant(0)
  #fired = 0
  /** Told when an event is added that is due before all others, so that a real timer can follow. */
  onEarlier: (() => void) | undefined

  get now(): Instant {
    return this.#now
  }

  /** When the next event is due; undefined when nothing is going to happen. */
  get next(): Instant | undefined {
    return this.#heap[0]?.at
  }

  get size(): number {
    return this.#heap.length
  }

  /** How many events have happened. */
  get fired(): number {
    return this.#fired
  }

  /** Adds an event. What would be due in the past is due now. */
  add(event: SimEvent, at: Instant): void {
    event.at = at > this.#now ? at : this.#now
    event.sequence = this.#sequence++
    event.heapIndex = this.#heap.length
    this.#heap.push(event)
    this.#siftUp(event)
    if (event.heapIndex === 0) this.onEarlier?.()
  }

  cancel(event: SimEvent): void {
    if (event.heapIndex < 0) return
    const last = this.#heap.pop()!
    if (last !== event) {
      last.heapIndex = event.heapIndex
      this.#heap[last.heapIndex] = last
      this.#siftUp(last)
      this.#siftDown(last)
    }
    event.heapIndex = -1
  }

  /** Lets the next event happen, if it is due by `limit`. False if none is. */
  step(limit: Instant): boolean {
    const event = this.#heap[0]
    if (event === undefined || event.at > limit) return false
    this.cancel(event)
    this.#now = event.at
    this.#fired++
    event.fire()
    return true
  }

  /** Moves the clock on; never past an event that is due, and never back. */
  advanceTo(at: Instant): void {
    const next = this.next
    const limit = next !== undefined && next < at ? next : at
    if (limit > this.#now) this.#now = limit
  }

  #siftUp(event: SimEvent): void {
    const heap = this.#heap
    let index = event.heapIndex
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]!
      if (!isBefore(event, parent)) break
      heap[index] = parent
      parent.heapIndex = index
      index = parentIndex
    }
    heap[index] = event
    event.heapIndex = index
  }

  #siftDown(event: SimEvent): void {
    const heap = this.#heap
    let index = event.heapIndex
    for (;;) {
      let childIndex = index * 2 + 1
      let child = heap[childIndex]
      if (child === undefined) break
      const right = heap[childIndex + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        childIndex++
      }
      if (!isBefore(child, event)) break
      heap[index] = child
      child.heapIndex = index
      index = childIndex
    }
    heap[index] = event
    event.heapIndex = index
  }
}

function isBefore(x: SimEvent, y: SimEvent): boolean {
  return x.at < y.at || (x.at === y.at && x.sequence < y.sequence)
}

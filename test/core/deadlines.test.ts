import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, type Expiring, unscheduled } from '../../src/core/deadlines.ts'
import { instant } from '../../src/core/time.ts'
import { always } from '../support/property.ts'

interface Item extends Expiring {
  readonly name: number
}

function item(name: number): Item {
  return { name, deadline: instant(0), heapIndex: unscheduled }
}

const operations = fc.array(
  fc.record({
    type: fc.constantFrom('schedule', 'schedule', 'cancel', 'take'),
    name: fc.nat(20),
    at: fc.nat(50),
  }),
  { maxLength: 200 },
)

describe('deadlines', () => {
  it('behave as a list that is sorted anew for every question', () => {
    always(
      fc.property(operations, (list) => {
        const deadlines = new Deadlines<Item>()
        const items = Array.from({ length: 21 }, (_, name) => item(name))
        const model = new Map<number, number>()
        for (const { type, name, at } of list) {
          if (type === 'schedule') {
            deadlines.schedule(items[name]!, instant(at))
            model.set(name, at)
          } else if (type === 'cancel') {
            deadlines.cancel(items[name]!)
            model.delete(name)
          } else {
            const earliest = Math.min(...model.values())
            const due = deadlines.takeDue(instant(at))
            expect(due === undefined).toBe(!(earliest <= at))
            if (due !== undefined) {
              expect([due.deadline, due.heapIndex]).toEqual([earliest, unscheduled])
              expect(model.get(due.name)).toBe(earliest)
              model.delete(due.name)
            }
          }
          expect(deadlines.size).toBe(model.size)
          expect(deadlines.next).toBe(model.size === 0 ? undefined : Math.min(...model.values()))
        }
      }),
      500,
    )
  })

  it('are met in order, and neither before their time nor twice', () => {
    const deadlines = new Deadlines<Item>()
    const times = [50, 10, 40, 10, 30, 20]
    times.forEach((at, name) => {
      deadlines.schedule(item(name), instant(at))
    })
    expect(deadlines.takeDue(instant(9))).toBeUndefined()
    const taken: number[] = []
    for (let due = deadlines.takeDue(instant(40)); due !== undefined; due = deadlines.takeDue(instant(40))) {
      taken.push(due.deadline)
    }
    expect(taken).toEqual([10, 10, 20, 30, 40])
    expect(deadlines.next).toBe(50)
  })

  it('that are refreshed a thousand times take no more room than one', () => {
    const deadlines = new Deadlines<Item>()
    const one = item(1)
    for (let at = 0; at < 1000; at++) deadlines.schedule(one, instant(at))
    expect(deadlines.size).toBe(1)
    expect(deadlines.takeDue(instant(998))).toBeUndefined()
    expect(deadlines.takeDue(instant(999))).toBe(one)
  })

  it('that are not there can be cancelled', () => {
    const deadlines = new Deadlines<Item>()
    deadlines.cancel(item(1))
    expect(deadlines.size).toBe(0)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PortChoice, PortPool } from '../../src/turn/port-pool.ts'
import { chiSquare } from '../support/chi-square.ts'
import { always } from '../support/property.ts'
import { seededRandom } from '../support/random.ts'

describe('a pool of ports', () => {
  it('gives out every port once, and then none, whatever the size of its range', () => {
    const random = seededRandom(1)
    for (const count of [1, 2, 31, 32, 33, 64, 100, 1000]) {
      const pool = new PortPool(50_001, 50_000 + count)
      const ports = Array.from({ length: count }, () => pool.take(random))
      expect(new Set(ports).size).toBe(count)
      expect(ports.every((port) => port! >= 50_001 && port! <= 50_000 + count)).toBe(true)
      expect([pool.take(random), pool.free]).toEqual([undefined, 0])
    }
  })

  it('draws evenly over the whole range, as it is by default', () => {
    const random = seededRandom(2)
    const counts = new Array<number>(64).fill(0)
    const pool = new PortPool(49_152, 65_535)
    for (let i = 0; i < 20_000; i++) {
      const port = pool.take(random)!
      counts[(port - 49_152) >> 8]!++
      pool.release(port)
    }
    expect(chiSquare(counts)).toBe('even')
  })

  it('draws evenly, and in no order, when ports stay taken', () => {
    const random = seededRandom(3)
    const pool = new PortPool(49_152, 65_535)
    const ports = Array.from({ length: 4_096 }, () => pool.take(random)!)
    const counts = new Array<number>(32).fill(0)
    for (const port of ports) counts[(port - 49_152) >> 9]!++
    expect(chiSquare(counts)).toBe('even')
    const steps = ports.slice(1).map((port, i) => Math.sign(port - ports[i]!))
    const rises = steps.filter((step) => step > 0).length
    expect(chiSquare([rises, steps.length - rises])).toBe('even')
    expect(steps.filter((_, i) => ports[i + 1]! - ports[i]! === 1).length).toBeLessThan(10)
  })

  it('behaves as a set of free ports, for single, even and paired ones', () => {
    const choices = fc.constantFrom<PortChoice | 'release'>('any', 'even', 'pair', 'release')
    always(
      fc.property(fc.nat(3), fc.nat(40), fc.array(choices, { maxLength: 80 }), (low, extra, list) => {
        const [min, max] = [100 + low, 100 + low + extra]
        const random = seededRandom(low * 100 + extra)
        const pool = new PortPool(min, max)
        const free = new Set(Array.from({ length: max - min + 1 }, (_, i) => min + i))
        const taken: number[] = []
        for (const choice of list) {
          if (choice === 'release') {
            const port = taken.shift()
            if (port === undefined) continue
            pool.release(port)
            free.add(port)
            continue
          }
          const fits = (port: number) =>
            choice === 'any' || (port % 2 === 0 && (choice === 'even' || free.has(port + 1)))
          const port = pool.take(random, choice)
          if (port === undefined) expect([...free].filter(fits)).toEqual([])
          else {
            expect(free.has(port) && fits(port)).toBe(true)
            for (const each of choice === 'pair' ? [port, port + 1] : [port]) {
              free.delete(each)
              taken.push(each)
            }
          }
          expect(pool.free).toBe(free.size)
        }
      }),
      500,
    )
  })
})

import { expect, it } from 'vitest'
import { OutputQueue } from '../../src/core/output-queue.ts'

it('gives outputs in the order they were put in, also when reading and writing take turns', () => {
  const queue = new OutputQueue<number>()
  const taken: (number | undefined)[] = []
  expect(queue.take()).toBeUndefined()
  queue.push(1)
  queue.push(2)
  taken.push(queue.take())
  queue.push(3)
  taken.push(queue.take(), queue.take(), queue.take())
  queue.push(4)
  taken.push(queue.take(), queue.take())
  expect(taken).toEqual([1, 2, 3, undefined, 4, undefined])
})

it('takes 100,000 outputs out in the order of their number', () => {
  const queue = new OutputQueue<number>()
  for (let i = 0; i < 100_000; i++) queue.push(i)
  let expected = 0
  for (let output = queue.take(); output !== undefined; output = queue.take()) {
    if (output !== expected++) throw new Error(`${output} where ${expected - 1} was due`)
  }
  expect(expected).toBe(100_000)
})

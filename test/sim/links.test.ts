import { describe, expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import type { LinkOptions } from '../../src/sim/link.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

/** A stream of numbered packets over a line with these qualities, `everyMs`. */
function stream(up: LinkOptions, { count = 1000, everyMs = 10, bytes = 4, seed = 1 } = {}) {
  const internet = new Internet({ seed, link: { delayMs: 0 } })
  const sender = new ProbeSocket(internet.host({ up }), { port: 1 })
  const receiver = new ProbeSocket(internet.host(), { port: 2 })
  internet.run()
  for (let i = 0; i < count; i++) {
    internet.at(i * everyMs, () => sender.send(`${i}`.padStart(bytes), receiver.local!))
  }
  internet.run()
  const numbers = receiver.texts.map(Number)
  const delays = receiver.arrived.map(({ at }, i) => at - numbers[i]! * everyMs)
  return { internet, numbers, delays, count }
}

test('delay is the same for every packet', () => {
  expect(new Set(stream({ delayMs: 25 }).delays)).toEqual(new Set([25]))
})

test('jitter adds to the delay, and keeps the order', () => {
  const { delays, numbers } = stream({ delayMs: 25, jitterMs: 20 }, { everyMs: 5 })
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(25)
  expect(Math.max(...delays)).toBeGreaterThan(40)
  expect(Math.max(...delays)).toBeLessThanOrEqual(45)
  expect(numbers).toEqual([...numbers].sort((x, y) => x - y))
})

test('loss takes its share', () => {
  const { numbers, internet } = stream({ loss: 0.2 })
  expect(numbers.length).toBeGreaterThan(750)
  expect(numbers.length).toBeLessThan(850)
  expect(internet.count('lost')).toBe(1000 - numbers.length)
})

test('loss in bursts takes neighbours', () => {
  const longest = (loss: LinkOptions['loss'] & {}) => {
    const { numbers } = stream({ loss })
    return Math.max(...numbers.slice(1).map((number, i) => number - numbers[i]!))
  }
  // Both lose about a sixth.
  expect(longest({ enter: 0.02, leave: 0.1 })).toBeGreaterThan(10)
  expect(longest(1 / 6)).toBeLessThan(10)
})

test('packets that are held back are overtaken', () => {
  const { numbers, delays } = stream({ delayMs: 5, reorder: 0.1, reorderMs: 25 })
  expect(new Set(delays)).toEqual(new Set([5, 30]))
  expect(numbers).not.toEqual([...numbers].sort((x, y) => x - y))
  expect(new Set(numbers).size).toBe(1000)
})

test('duplicates arrive twice', () => {
  const { numbers } = stream({ duplicate: 0.1 })
  expect(new Set(numbers).size).toBe(1000)
  expect(numbers.length).toBeGreaterThan(1050)
  expect(numbers.length).toBeLessThan(1150)
})

describe('bandwidth', () => {
  test('a packet takes its time on the line', () => {
    // 972 bytes, 8 of UDP and 20 of IP are 8,000 bits.
    expect(stream({ bitsPerSecond: 1_000_000 }, { count: 1, bytes: 972 }).delays).toEqual([8])
  })

  test('more than it carries waits, and is lost when the queue is full', () => {
    const { delays, internet } = stream(
      { bitsPerSecond: 1_000_000, queueBytes: 20_000 },
      { count: 200, bytes: 972, everyMs: 4 },
    )
    expect(Math.max(...delays)).toBeGreaterThan(150)
    expect(Math.max(...delays)).toBeLessThan(180)
    expect(internet.count('queue full')).toBeGreaterThan(70)
  })
})

describe('longer packets than the line takes', () => {
  const mtu = 1280
  test.each([
    [mtu - 28, 'fragmented', 100],
    [mtu - 27, 'fragmented', 100],
    [mtu - 28, 'dropped', 100],
    [mtu - 27, 'dropped', 0],
  ] as const)('%i bytes, oversized packets are %s: %i of 100 arrive', (bytes, oversized, arrived) => {
    expect(stream({ mtu, oversized }, { count: 100, bytes }).numbers).toHaveLength(arrived)
  })

  test('one lost fragment loses the packet', () => {
    const { numbers } = stream({ mtu, loss: 0.2 }, { bytes: 5000 })
    expect(numbers.length / 1000).toBeCloseTo(0.8 ** 4, 1)
  })
})

test('a line can change while it is in use', () => {
  const internet = new Internet({ seed: 1 })
  const host = internet.host()
  const [sender, receiver] = [
    new ProbeSocket(host, { port: 1 }),
    new ProbeSocket(internet.host(), { port: 2 }),
  ]
  internet.run()
  sender.send('before', receiver.local!)
  host.interface().changeLink({ loss: 1 })
  sender.send('during', receiver.local!)
  host.interface().changeLink({ loss: 0, delayMs: 100 })
  sender.send('after', receiver.local!)
  internet.run()
  expect(receiver.arrived).toMatchObject([
    { text: 'before', at: 20 },
    { text: 'after', at: 110 },
  ])
})

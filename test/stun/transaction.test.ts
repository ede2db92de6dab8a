import { describe, expect, it } from 'vitest'
import { instant, later } from '../../src/core/time.ts'
import { RttEstimator } from '../../src/stun/rtt.ts'
import {
  defaultTiming,
  roundTripMs,
  Transactions,
  type TransactionTiming,
} from '../../src/stun/transaction.ts'

const start = instant(1000)
const id = new Uint8Array(12).fill(7)
const bytes = new Uint8Array(20)

/** When the request is sent, and when it has failed, in milliseconds from the start. */
function scheduleOf(isReliable: boolean, timing: TransactionTiming): { sent: number[]; failed: number } {
  const transactions = new Transactions<string>(isReliable, timing)
  transactions.begin(id, bytes, 'context', timing.rtoMs, start)
  const sent = [0]
  for (;;) {
    const now = transactions.nextDeadline!
    expect(transactions.takeDue(later(now, -1))).toBeUndefined()
    const due = transactions.takeDue(now)!
    expect(due.transaction).toMatchObject({ id, bytes, context: 'context' })
    if (due.type === 'timed-out') {
      expect(transactions.find(id)).toBeUndefined()
      expect(transactions.nextDeadline).toBeUndefined()
      return { sent, failed: now - start }
    }
    sent.push(now - start)
  }
}

describe('a transaction', () => {
  it('over UDP is sent seven times and fails after 39.5 s, as in the example of RFC 8489 §6.2.1', () => {
    expect(scheduleOf(false, defaultTiming)).toEqual({
      sent: [0, 500, 1500, 3500, 7500, 15_500, 31_500],
      failed: 39_500,
    })
  })

  it('over TCP is sent once and fails after 39.5 s', () => {
    expect(scheduleOf(true, defaultTiming)).toEqual({ sent: [0], failed: 39_500 })
  })

  it('takes its times from outside', () => {
    const timing = { rtoMs: 100, requestCount: 3, lastWaitFactor: 4, reliableTimeoutMs: 250 }
    expect(scheduleOf(false, timing)).toEqual({ sent: [0, 100, 300], failed: 700 })
    expect(scheduleOf(true, timing)).toEqual({ sent: [0], failed: 250 })
  })

  it('is found by its ID alone, and no more when it has ended', () => {
    const transactions = new Transactions<number>(false, defaultTiming)
    const other = id.slice().fill(8)
    transactions.begin(id, bytes, 1, 500, start)
    transactions.begin(other, bytes, 2, 500, start)
    expect(transactions.find(other.slice())?.context).toBe(2)
    expect(transactions.find(new Uint8Array(12))).toBeUndefined()
    transactions.end(transactions.find(other)!)
    expect(transactions.find(other)).toBeUndefined()
    expect(transactions.size).toBe(1)
  })

  it('measures the round trip only when it was sent once (Karn)', () => {
    const transactions = new Transactions<number>(false, defaultTiming)
    transactions.begin(id, bytes, 1, 500, start)
    const transaction = transactions.find(id)!
    expect(roundTripMs(transaction, later(start, 42))).toBe(42)
    transactions.takeDue(later(start, 500))
    expect(roundTripMs(transaction, later(start, 542))).toBeUndefined()
  })
})

describe('the round-trip estimate', () => {
  it('follows RFC 6298 §2, to the millisecond', () => {
    const rtt = new RttEstimator()
    expect(rtt.rtoMs(500, start)).toBe(500)
    rtt.sample(400, start)
    expect(rtt.smoothedMs(start)).toBe(400)
    expect(rtt.rtoMs(500, start)).toBe(400 + 4 * 200)
    rtt.sample(800, start)
    expect(rtt.smoothedMs(start)).toBe(450)
    expect(rtt.rtoMs(500, start)).toBe(450 + 4 * 250)
  })

  it('never makes the timeout shorter than the one that was given', () => {
    const rtt = new RttEstimator()
    rtt.sample(1, start)
    expect(rtt.rtoMs(500, start)).toBe(500)
  })

  it('is forgotten when nothing has confirmed it for ten minutes', () => {
    const rtt = new RttEstimator()
    rtt.sample(2000, start)
    expect(rtt.smoothedMs(later(start, 599_999))).toBe(2000)
    expect(rtt.smoothedMs(later(start, 600_000))).toBeUndefined()
    expect(rtt.rtoMs(500, later(start, 600_000))).toBe(500)
  })
})

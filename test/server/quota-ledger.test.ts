import { describe, expect, it } from 'vitest'
import { QuotaLedger } from '../../src/server/quota-ledger.ts'
import { newSharedState } from '../../src/server/shared-memory.ts'
import { defaultLimits, type ServerLimits } from '../../src/turn/options.ts'
import { seededRandom } from '../support/random.ts'

function setUp(change: Partial<ServerLimits>) {
  const limits = { ...defaultLimits, ...change }
  const { rates } = newSharedState(limits, 0, { min: 50_000, max: 50_001 }, seededRandom(1))
  const ledger = new QuotaLedger(limits, rates)
  const [one, other] = [ledger.join(), ledger.join()]
  const claims = (member: typeof one, userId: string, count = 1) =>
    ledger.claim(member, userId, count).isGranted
  return { ledger, rates, one, other, claims }
}

describe('The quotas of several shards', () => {
  it('are one: a user and all users have what they have at any of them', () => {
    const { ledger, one, other, claims } = setUp({ userQuota: 2, totalQuota: 3 })
    expect([claims(one, 'alice'), claims(other, 'alice'), claims(one, 'alice')]).toEqual([true, true, false])
    expect([claims(other, 'bob'), claims(one, 'bob')]).toEqual([true, false])
    ledger.giveBack(other, 'alice', 1)
    expect(claims(one, 'bob')).toBe(true)
  })

  it('are claimed whole or not at all', () => {
    const { ledger, one, claims } = setUp({ userQuota: 3 })
    expect([claims(one, 'alice', 2), claims(one, 'alice', 2), claims(one, 'alice', 1)]).toEqual([
      true,
      false,
      true,
    ])
    ledger.giveBack(one, 'alice', 3)
    expect(ledger.users).toBe(0)
  })

  it('are given back for a shard that is gone, and only what it held', () => {
    const { ledger, one, other, claims } = setUp({ userQuota: 2 })
    claims(one, 'alice')
    claims(other, 'alice')
    claims(other, '__proto__', 2)
    ledger.leave(other)
    expect([claims(one, 'alice'), claims(one, 'alice')]).toEqual([true, false])
    expect(claims(one, '__proto__', 2)).toBe(true)
    ledger.leave(other)
    ledger.leave(one)
    expect(ledger.users).toBe(0)
  })

  it('are not given back twice, or by who does not hold them', () => {
    const { ledger, one, other, claims } = setUp({ userQuota: 1 })
    claims(one, 'alice')
    ledger.giveBack(other, 'alice', 1)
    expect(claims(other, 'alice')).toBe(false)
    ledger.giveBack(one, 'alice', 1)
    ledger.giveBack(one, 'alice', 1)
    expect([claims(one, 'alice'), claims(one, 'alice')]).toEqual([true, false])
  })
})

describe('The place of a user\u2019s rate', () => {
  const slotOf = (decision: ReturnType<QuotaLedger['claim']>) =>
    decision.isGranted ? decision.rateSlot : undefined

  it('is the same at every shard, is not the server\u2019s, and is clean for the next user', () => {
    const { ledger, rates, one, other } = setUp({ userMaxBytesPerSecond: 1000 })
    const slot = slotOf(ledger.claim(one, 'alice', 1))!
    expect(slot).toBeGreaterThan(0)
    expect(slotOf(ledger.claim(other, 'alice', 1))).toBe(slot)
    expect(slotOf(ledger.claim(one, 'bob', 1))).not.toBe(slot)
    rates[slot * 2] = 99
    ledger.giveBack(one, 'alice', 1)
    ledger.giveBack(other, 'alice', 1)
    expect(slotOf(ledger.claim(one, 'carol', 1))).toBe(slot)
    expect(rates[slot * 2]).toBe(0)
  })

  it('is none when nothing is limited, or when all places are taken', () => {
    const { ledger, one } = setUp({})
    expect(slotOf(ledger.claim(one, 'alice', 1))).toBeUndefined()
    const crowded = setUp({ userMaxBytesPerSecond: 1000 })
    for (let i = 0; i < 65_536; i++) crowded.ledger.claim(crowded.one, `user ${i}`, 1)
    expect(crowded.ledger.claim(crowded.one, 'one more', 1)).toEqual({ isGranted: true, rateSlot: undefined })
  })
})

import { describe, expect, it } from 'vitest'
import { AllocationBandwidth, Bandwidth } from '../../src/turn/bandwidth.ts'
import { peerA, type TurnClient, TurnHarness } from '../support/turn-harness.ts'

const packet = new Uint8Array(1000)

/** Sends and receives a packet of 1,000 bytes each, every ten milliseconds; how many of 100 came through each second. */
function relaySeconds(harness: TurnHarness, clients: readonly TurnClient[], seconds: number): number[][] {
  const sockets = clients.map((client) => client.relaySocketAt(client.allocate()))
  for (const client of clients) client.bindChannel(0x4000, peerA)
  const perSecond: number[][] = []
  for (let second = 0; second < seconds; second++) {
    const counts = [0, 0]
    for (let tick = 0; tick < 100; tick++) {
      clients.forEach((client, i) => {
        if (client.sendChannelData(0x4000, packet) !== undefined) counts[0]!++
        if (harness.fromPeer(sockets[i]!, peerA, packet) !== undefined) counts[1]!++
      })
      harness.elapse(0.01)
    }
    perSecond.push(counts)
  }
  return perSecond
}

describe('Application data over the rate is dropped', () => {
  it('of one allocation, each direction for itself, after a burst of one second', () => {
    const harness = new TurnHarness({ maxBytesPerSecond: 20_000 })
    const seconds = relaySeconds(harness, [harness.client()], 5)
    // The burst and what has come due while it went: then 20 packets of 1,000 bytes a second.
    for (const count of seconds[0]!) expect(count).toBeGreaterThanOrEqual(39)
    for (const count of seconds.slice(1).flat()) expect(Math.abs(count - 20)).toBeLessThanOrEqual(1)
    expect(harness.server.counters.drops['over-bandwidth']).toBe(
      1000 - seconds.flat().reduce((a, b) => a + b),
    )
  })

  it('of all allocations of a user, and of nobody else\u2019s', () => {
    const harness = new TurnHarness({ userMaxBytesPerSecond: 20_000 })
    const alice = relaySeconds(harness, [harness.client(), harness.client()], 3)
    for (const count of alice[2]!) expect(Math.abs(count - 20)).toBeLessThanOrEqual(1)
    const both = relaySeconds(harness, [harness.client('bob', 'builder')], 1)
    expect(both[0]![0]).toBeGreaterThanOrEqual(39)
  })

  it('of all users together', () => {
    const harness = new TurnHarness({ totalMaxBytesPerSecond: 30_000 })
    const seconds = relaySeconds(harness, [harness.client(), harness.client('bob', 'builder')], 3)
    for (const count of seconds[2]!) expect(Math.abs(count - 30)).toBeLessThanOrEqual(1)
  })

  it('by the tightest rate that there is', () => {
    const limits = {
      maxBytesPerSecond: 10_000,
      userMaxBytesPerSecond: 15_000,
      totalMaxBytesPerSecond: 50_000,
    }
    const harness = new TurnHarness(limits)
    const one = relaySeconds(harness, [harness.client()], 3)
    for (const count of one[2]!) expect(Math.abs(count - 10)).toBeLessThanOrEqual(1)
  })

  it('but requests are answered all the same, and the client is no worse off for what was dropped', () => {
    const harness = new TurnHarness({ maxBytesPerSecond: 1000 })
    const client = harness.client()
    relaySeconds(harness, [client], 2)
    expect(client.request('Refresh').get('LIFETIME')).toBe(600)
    expect(client.permit(peerA).class).toBe('success')
    harness.elapse(2)
    expect(client.sendChannelData(0x4000, packet)).toBeDefined()
  })

  it('whatever the size of a packet: one as large as there is goes out of a fresh rate', () => {
    const harness = new TurnHarness({ maxBytesPerSecond: 1000 })
    const client = harness.client()
    client.allocate()
    client.bindChannel(0x4000, peerA)
    const send = () => client.sendChannelData(0x4000, new Uint8Array(65_000)) !== undefined
    expect([send(), send()]).toEqual([true, false])
    harness.elapse(64)
    expect(send()).toBe(false)
    harness.elapse(1)
    expect(send()).toBe(true)
  })

  it('of Send indications and Data indications too, and between two clients of one server', () => {
    const harness = new TurnHarness({ maxBytesPerSecond: 1000 })
    const [one, other] = [harness.client(), harness.client('bob', 'builder')]
    const relayed = [one.allocate(), other.allocate()]
    one.permit(relayed[1]!)
    other.permit(relayed[0]!)
    const arrived = Array.from({ length: 10 }, () => one.sendIndication(relayed[1]!, packet.subarray(0, 400)))
    expect(arrived.filter((sent) => sent !== undefined)).toHaveLength(3)
    expect(arrived[0]?.destination).toBe(other.address.toString())
  })
})

describe('The rate of a user', () => {
  it('is one for all allocations, and forgotten with the last of them', () => {
    const bandwidth = new Bandwidth({ perAllocation: 0, perUser: 1000, total: 0 })
    expect(bandwidth.open('alice')).toBeInstanceOf(AllocationBandwidth)
    bandwidth.open('alice')
    bandwidth.open('__proto__')
    expect(bandwidth.users).toBe(2)
    bandwidth.close('alice')
    bandwidth.close('__proto__')
    expect(bandwidth.users).toBe(1)
    bandwidth.close('alice')
    bandwidth.close('alice')
    expect(bandwidth.users).toBe(0)
  })

  it('is not kept where nothing is limited', () => {
    const bandwidth = new Bandwidth({ perAllocation: 0, perUser: 0, total: 0 })
    expect(bandwidth.open('alice')).toBeUndefined()
    expect(bandwidth.users).toBe(0)
  })
})

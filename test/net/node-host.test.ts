import { describe, expect, it } from 'vitest'
import { later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { until } from '../support/until.ts'

const { clock, random } = new NodeHost()
const host = new NodeHost()

describe('the clock', () => {
  it('never goes back', () => {
    let before = clock.now()
    for (let i = 0; i < 10_000; i++) {
      const now = clock.now()
      if (now < before) throw new Error(`${now} after ${before}`)
      before = now
    }
  })

  it('tells the second of the day', () => {
    expect(Math.abs(clock.epochSeconds() - Date.now() / 1000)).toBeLessThan(2)
  })

  it('calls back once, not before its time', async () => {
    const calls: number[] = []
    const at = later(clock.now(), 30)
    clock.schedule(at, () => calls.push(clock.now()))
    await until(() => calls.length > 0)
    expect(calls[0]).toBeGreaterThanOrEqual(at)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(calls).toHaveLength(1)
  })

  it('calls back for a time that is past, but not from within', async () => {
    let called = 0
    clock.schedule(later(clock.now(), -1000), () => called++)
    expect(called).toBe(0)
    await until(() => called === 1)
  })

  it('does not call back when it is cancelled, nor at once for a time beyond 2^31 ms', async () => {
    let called = 0
    const cancels = [
      clock.schedule(later(clock.now(), 20), () => called++),
      clock.schedule(later(clock.now(), 2 ** 31), () => called++),
      clock.schedule(later(clock.now(), 2 ** 40), () => called++),
    ]
    cancels[0]!()
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (const cancel of cancels) cancel()
    expect(called).toBe(0)
  })
})

describe('the address that the system sends from', () => {
  it.each([
    ['127.0.0.9', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ])('to %s is %s', (remote, local) => {
    expect(host.sourceFor(TransportAddress.of(remote, 0))?.ip).toBe(local)
  })

  it('is one of its own or none, wherever it is to', () => {
    const own = host.interfaces().map(({ address }) => address.ip)
    for (const remote of ['198.41.0.4', '2001:503:ba3e::2:30', '203.0.113.1', '2001:db8::1']) {
      const source = host.sourceFor(TransportAddress.of(remote, 0))
      if (source !== undefined) expect(own).toContain(source.ip)
    }
  })

  it('is none where nothing can be sent', () => {
    expect(host.sourceFor(TransportAddress.of('255.255.255.255', 0))).toBeUndefined()
  })
})

describe('random bytes', () => {
  it('are as many as asked for, and never the same', () => {
    const drawn = new Set(Array.from({ length: 1000 }, () => Buffer.from(random.bytes(16)).toString('hex')))
    expect(drawn.size).toBe(1000)
    expect(random.bytes(0)).toEqual(new Uint8Array(0))
    expect(random.bytes(7)).toHaveLength(7)
  })
})

describe('the interfaces', () => {
  it('have loopback, marked as internal, with its prefix', () => {
    const loopback = host.interfaces().find(({ address }) => address.ip === '127.0.0.1')
    expect(loopback).toMatchObject({ internal: true, prefixLength: 8 })
    expect(loopback?.address.port).toBe(0)
  })
})

describe('the DNS', () => {
  const answerTo = (name: string) => {
    const answers: unknown[] = []
    const cancel = host.resolve({ name, type: 'A' }, (answer) => answers.push(answer))
    return { answers, cancel }
  }

  it('knows localhost', async () => {
    const { answers } = answerTo('localhost')
    expect(answers).toEqual([])
    await until(() => answers.length > 0)
    expect(JSON.stringify(answers)).toContain('127.0.0.1')
  })

  it('tells a failure as a value', async () => {
    const { answers } = answerTo('no such name')
    await until(() => answers.length > 0)
    expect(answers).toMatchObject([{ type: 'failed', reason: expect.any(String) }])
  })

  it('does not answer who has cancelled', async () => {
    const { answers, cancel } = answerTo('localhost')
    cancel()
    const other = answerTo('localhost')
    await until(() => other.answers.length > 0)
    expect(answers).toEqual([])
  })
})

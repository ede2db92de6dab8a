import { describe, expect, test } from 'vitest'
import type { DnsAnswer, DnsQuery } from '../../src/core/host.ts'
import { Internet } from '../../src/sim/internet.ts'

function topology() {
  const internet = new Internet({ seed: 1, families: ['IPv4', 'IPv6'] })
  const host = internet.host()
  internet.name('host.example', host)
  internet.name('four.example', { A: ['20.0.1.1', '20.0.1.2'] })
  internet.name('_turn._udp.example', {
    SRV: [{ priority: 10, weight: 5, port: 3478, name: 'host.example' }],
  })
  internet.name('example', {
    NAPTR: [
      {
        order: 1,
        preference: 1,
        flags: 's',
        service: 'RELAY:turn.udp',
        regexp: '',
        replacement: '_turn._udp.example',
      },
    ],
  })
  internet.name('broken.example', { fails: 'ESERVFAIL' })
  internet.name('slow.example', { A: ['20.0.1.3'], delayMs: 5000 })
  const ask = (query: DnsQuery): { answer: DnsAnswer | undefined; tookMs: number } => {
    const start = internet.now
    let answer: DnsAnswer | undefined
    host.resolve(query, (given) => {
      answer = given
    })
    expect(answer).toBeUndefined()
    internet.run()
    return { answer, tookMs: internet.now - start }
  }
  return { internet, host, ask }
}

describe('a simulated DNS', () => {
  test.each([
    ['host.example', 'A', ['20.0.0.2']],
    ['HOST.example.', 'AAAA', ['2600::2']],
    ['four.example', 'A', ['20.0.1.1', '20.0.1.2']],
    ['20.0.9.9', 'A', ['20.0.9.9']],
    ['2600::9', 'AAAA', ['2600::9']],
  ] as const)('%s %s', (name, type, ips) => {
    const { answer } = topology().ask({ name, type })
    expect(answer?.type === 'addresses' && answer.addresses.map(({ ip }) => ip)).toEqual(ips)
  })

  test.each([
    ['four.example', 'AAAA', 'ENODATA'],
    ['nobody.example', 'A', 'ENOTFOUND'],
    ['broken.example', 'A', 'ESERVFAIL'],
    ['20.0.9.9', 'AAAA', 'ENOTFOUND'],
  ] as const)('%s %s fails: %s', (name, type, reason) => {
    expect(topology().ask({ name, type }).answer).toEqual({ type: 'failed', reason })
  })

  test('services and pointers', () => {
    const { ask } = topology()
    expect(ask({ name: '_turn._udp.example', type: 'SRV' }).answer).toMatchObject({
      services: [{ port: 3478, name: 'host.example' }],
    })
    expect(ask({ name: 'example', type: 'NAPTR' }).answer).toMatchObject({
      pointers: [{ replacement: '_turn._udp.example' }],
    })
  })

  test('an answer takes the time that is set for the name', () => {
    const { ask } = topology()
    expect(ask({ name: 'four.example', type: 'A' }).tookMs).toBe(10)
    expect(ask({ name: 'slow.example', type: 'A' }).tookMs).toBe(5000)
  })

  test('a query that was cancelled is never answered', () => {
    const { internet, host } = topology()
    let isAnswered = false
    const cancel = host.resolve({ name: 'slow.example', type: 'A' }, () => {
      isAnswered = true
    })
    internet.run({ for: 100 })
    cancel()
    internet.run()
    expect(isAnswered).toBe(false)
  })

  test('a host that is not connected gets no answer', () => {
    const { host, ask } = topology()
    host.interface().down()
    expect(ask({ name: 'four.example', type: 'A' }).answer).toEqual({ type: 'failed', reason: 'ETIMEOUT' })
  })
})

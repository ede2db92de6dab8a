/** Two servers with one address each that are one server of RFC 5780 together (ADR 14), on a simulated internet. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import { Internet } from '../../src/sim/internet.ts'
import { Packet } from '../../src/sim/packet.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { askPartner, keyFile, partnerKeys, partnerWorld, startPartner } from '../support/partner-world.ts'

const change = (changeIp: boolean, changePort: boolean): Attribute => [
  'CHANGE-REQUEST',
  { changeIp, changePort },
]

function bindingRequest(transactionId: Uint8Array): Uint8Array {
  return encodeMessage({
    class: 'request',
    method: 'Binding',
    transactionId,
    attributes: [change(true, true)],
  })
}

let key: ReturnType<typeof keyFile>

beforeEach(() => {
  key = keyFile(partnerKeys.first)
})

afterEach(() => key.remove())

describe('a server with a partner', () => {
  /** Which flags, and whether the partner answers, and from its first or second port. */
  const rows: [boolean, boolean, 'a' | 'b', number][] = [
    [false, false, 'a', 3478],
    [false, true, 'a', 3479],
    [true, false, 'b', 3478],
    [true, true, 'b', 3479],
  ]
  it.each(rows)('asked to change address %s and port %s answers from %s:%i', async (ip, port, end, from) => {
    const world = await partnerWorld(key.path)
    const { internet, a, b } = world
    for (const [asked, other] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const at of [3478, 3479]) {
        const answering = end === 'a' ? asked : other
        const origin = at === 3478 ? from : 3478 + 3479 - from
        const server = asked.address.withPort(at)
        const answers = askPartner(internet, internet, server, () => [change(ip, port)])
        expect(answers.map((answer) => answer.from)).toEqual([`${answering.address.withPort(origin)}`])
        const { message } = answers[0]!
        expect(`${message.get('RESPONSE-ORIGIN')}`).toBe(answers[0]!.from)
        expect(`${message.get('OTHER-ADDRESS')}`).toBe(`${other.address.withPort(3478 + 3479 - at)}`)
        expect(`${message.get('XOR-MAPPED-ADDRESS')}`).toMatch(/:20000$/)
        expect(`${message.get('MAPPED-ADDRESS')}`).toBe(`${message.get('XOR-MAPPED-ADDRESS')}`)
      }
    }
    const count = ip ? 2 : 0
    expect(a.server.counters).toMatchObject({ requestsForwarded: count, partnerAnswers: count })
    expect(a.server.partners).toEqual([{ partner: `${b.address}`, isUp: true }])
  })

  it('has another partner for IPv6, and each answers in its family', async () => {
    const internet = new Internet({ seed: 1, families: ['IPv4', 'IPv6'] })
    const [first, second] = [internet.host(), internet.host()]
    const families = ['IPv4', 'IPv6'] as const
    const both = (host: typeof first, other: typeof first): Partial<ServeConfig> => ({
      listen: families.map((family) => {
        return { transport: 'udp', address: host.address(3478, family), isOptional: false }
      }),
      partners: families.map((family) => ({ host: other.address(0, family).ip, port: 3478 })),
    })
    const a = await startPartner(internet, first, second.address(3478), key.path, both(first, second))
    await startPartner(internet, second, first.address(3478), key.path, both(second, first))
    await internet.runAsync({ for: 3000 })
    expect(a.server.partners.map(({ isUp }) => isUp)).toEqual([true, true])
    for (const family of families) {
      const server = first.address(3478, family)
      const [answer] = askPartner(internet, internet, server, () => [change(true, true)])
      expect(answer?.from).toBe(`${second.address(3479, family)}`)
      expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(answer?.from)
    }
  })

  it('has padding and RESPONSE-PORT go the same way', async () => {
    const { internet, a, b } = await partnerWorld(key.path)
    const padded = askPartner(internet, internet, a.address, () => [
      change(true, true),
      ['PADDING', new Uint8Array(1000)],
    ])
    expect(padded.map(({ from }) => from)).toEqual([`${b.address.withPort(3479)}`])
    expect(padded[0]!.length).toBeGreaterThan(1000)
    expect(padded[0]!.length).toBeLessThanOrEqual(20 + 8 + 4 + 1000)
    const elsewhere = askPartner(internet, internet, a.address, ({ port }) => [
      change(true, true),
      ['RESPONSE-PORT', port],
    ])
    expect(elsewhere.map(({ from, at }) => `${from} ${at}`)).toEqual([`${b.address.withPort(3479)} 1`])
  })

  it('has one address until the partner is there, and when it is gone, and says each once', async () => {
    const internet = new Internet({ seed: 1 })
    const [first, second] = [internet.host(), internet.host()]
    const a = await startPartner(internet, first, second.address(3478), key.path)
    const isAlone = () => {
      const [plain] = askPartner(internet, internet, a.address, () => [])
      expect(plain?.message.types()).toEqual([0x0020])
      const [refused] = askPartner(internet, internet, a.address, () => [change(true, false)])
      expect(refused?.message.get('ERROR-CODE')?.code).toBe(420)
    }
    isAlone()
    await internet.runAsync({ for: 60_000 })
    const b = await startPartner(internet, second, first.address(3478), key.path)
    await internet.runAsync({ for: 3000 })
    expect(askPartner(internet, internet, a.address, () => [change(true, false)])).toHaveLength(1)
    await internet.until(b.server.close())
    await internet.runAsync({ for: 6000 })
    isAlone()
    await internet.runAsync({ for: 60_000 })
    expect(a.lines).toEqual([
      'warn the partner does not answer: no behavior discovery until it does',
      'info the partner is there: behavior discovery is served with it',
      'warn the partner is gone: no behavior discovery until it is back',
    ])
    await internet.until(a.server.close())
  })

  it('answers nobody for a partner with another key', async () => {
    const other = keyFile(partnerKeys.second)
    const internet = new Internet({ seed: 1 })
    const [first, second] = [internet.host(), internet.host()]
    const a = await startPartner(internet, first, second.address(3478), key.path)
    const b = await startPartner(internet, second, first.address(3478), other.path)
    other.remove()
    await internet.runAsync({ for: 10_000 })
    expect(a.server.partners).toEqual([{ partner: `${b.address}`, isUp: false }])
    expect(a.server.counters.drops['bad-partner']).toBeGreaterThan(10)
    const [answer] = askPartner(internet, internet, a.address, () => [])
    expect(answer?.message.has('OTHER-ADDRESS')).toBe(false)
  })

  it('takes a new key from its file, and keeps the link', async () => {
    const { internet, a, b } = await partnerWorld(key.path)
    for (const keys of [
      [partnerKeys.first, partnerKeys.second],
      [partnerKeys.second, partnerKeys.first],
      [partnerKeys.second],
    ]) {
      key.write(...keys)
      for (const { server } of [a, b]) {
        server.reload()
        await internet.runAsync({ for: 6000 })
      }
    }
    key.write('short')
    a.server.reload()
    await internet.runAsync({ for: 6000 })
    const reloaded = 'info partner key reloaded'
    expect(a.lines).toEqual([
      'info the partner is there: behavior discovery is served with it',
      ...[reloaded, reloaded, reloaded],
      'warn partner key not reloaded, the old one stays in use',
    ])
    expect(askPartner(internet, internet, a.address, () => [change(true, false)])).toHaveLength(1)
  })

  it('tells clients the public addresses of 1:1 NATs', async () => {
    const internet = new Internet({ seed: 1 })
    const [first, second] = [internet.host(), internet.host()]
    const advertise = (host: typeof first, outside: string): Partial<ServeConfig> => ({
      advertised: [{ inside: host.address(0), outside: TransportAddress.of(outside, 0) }],
    })
    const a = await startPartner(internet, first, second.address(3478), key.path, advertise(first, '9.9.9.1'))
    await startPartner(internet, second, first.address(3478), key.path, advertise(second, '9.9.9.2'))
    await internet.runAsync({ for: 3000 })
    const [answer] = askPartner(internet, internet, a.address, () => [change(true, false)])
    expect(`${answer?.message.get('RESPONSE-ORIGIN')}`).toBe('9.9.9.2:3478')
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe('9.9.9.2:3479')
  })

  it('says so when it and the partner have different ports', async () => {
    const internet = new Internet({ seed: 1 })
    const [first, second] = [internet.host(), internet.host()]
    const a = await startPartner(internet, first, second.address(3478), key.path)
    await startPartner(internet, second, first.address(3478), key.path, { alternatePort: 5000 })
    await internet.runAsync({ for: 20_000 })
    const mismatch = a.lines.filter((line) => line.startsWith('error'))
    expect(mismatch).toEqual([expect.stringContaining('its two ports are others')])
  })
})

describe('the link to a partner, to who is not the partner', () => {
  it('gives nobody an answer who plays its packets again, or writes some of his own', async () => {
    const { internet, a, b } = await partnerWorld(key.path)
    const seen: Packet[] = []
    internet.intercept((packet) => {
      if (packet.source.ip === a.address.ip && packet.destination.ip === b.address.ip)
        seen.push(packet.clone())
      return true
    })
    expect(askPartner(internet, internet, a.address, () => [change(true, false)])).toHaveLength(1)
    expect(b.server.counters.partnerAnswers).toBe(1)
    const isRequest = ({ bytes }: Packet) => bytes.length === 116
    expect(seen.filter(isRequest)).toHaveLength(1)
    for (const { source, destination, bytes } of [...seen]) {
      const damaged = [bytes, bytes.map((byte, i) => (i === 70 ? byte ^ 1 : byte)), bytes.slice(0, -1)]
      for (const forged of damaged) {
        internet.spoof(new Packet('udp', source, destination, forged))
        internet.spoof(new Packet('udp', destination, source, forged))
      }
    }
    await internet.runAsync({ for: 2000 })
    expect(a.server.counters.partnerAnswers + b.server.counters.partnerAnswers).toBe(1)
    expect(b.server.counters.drops['bad-partner']).toBeGreaterThan(0)
    expect(a.server.partners[0]?.isUp && b.server.partners[0]?.isUp).toBe(true)
  })

  it('lets nobody have the two write to each other', async () => {
    const { internet, a, b } = await partnerWorld(key.path)
    internet.spoof(new Packet('udp', b.address, a.address, bindingRequest(new Uint8Array(12))))
    await internet.runAsync({ for: 1000 })
    expect(b.server.counters.partnerAnswers).toBe(0)
    expect(b.server.counters.drops['bad-source']).toBe(1)
  })

  it('keeps to the limit of answers to one source', async () => {
    const { internet, a, b } = await partnerWorld(key.path, { config: { unauthenticatedRate: 1 } })
    const client = internet.host()
    const nothing = { bound: () => {}, failed: () => {}, datagram: () => {}, sendFailed: () => {} }
    const socket = client.bindUdp({ address: client.address(20_000) }, nothing)
    internet.run({ for: 10 })
    for (let i = 0; i < 50; i++) socket.send(bindingRequest(client.random.bytes(12)), a.address)
    await internet.runAsync({ for: 200 })
    expect(b.server.counters.partnerAnswers).toBeLessThanOrEqual(4)
    expect(b.server.counters.partnerAnswers).toBeGreaterThan(0)
  })
})

describe('--partner', () => {
  const refusals: [string, (path: string) => Partial<ServeConfig>, RegExp][] = [
    ['has no key', () => ({ partnerKeyFile: undefined }), /--partner needs a --partner-key FILE/],
    ['is missing where there is a key', () => ({ partners: [] }), /--partner-key needs a --partner/],
    [
      'is this machine',
      () => ({ partners: [{ host: '203.0.113.1', port: 3478 }] }),
      /is this machine itself/,
    ],
    [
      'has another port',
      () => ({ partners: [{ host: '203.0.113.2', port: 4000 }] }),
      /at the same ports, and this one listens at 203\.0\.113\.1:3478/,
    ],
    [
      'cannot be resolved',
      () => ({ partners: [{ host: 'nowhere.example', port: 3478 }] }),
      /nowhere\.example:3478 cannot be resolved \(ENOTFOUND\)/,
    ],
    [
      'is public, and we are not',
      () => ({ partners: [{ host: '9.9.9.9', port: 3478 }] }),
      /cannot reach 203\.0\.113\.1; --advertise 203\.0\.113\.1=PUBLIC/,
    ],
    [
      'is given twice for one family',
      () => ({ partners: [2, 3].map((end) => ({ host: `203.0.113.${end}`, port: 3478 })) }),
      /one partner of each address family/,
    ],
    [
      'finds only a wildcard here',
      () => ({ listen: defaultConfig.listen.slice(0, 1) }),
      /add --listen udp:\/\/192\.0\.2\.1:3478/,
    ],
    [
      'comes with an alternate address',
      () => ({ alternateAddresses: [TransportAddress.of('203.0.113.5', 0)] }),
      /either here or there/,
    ],
    [
      'has a key file that is not there',
      (path) => ({ partnerKeyFile: `${path}.none` }),
      /cannot be read \(ENOENT\)/,
    ],
  ]
  it.each(refusals)('is refused when it %s', async (_name, change, message) => {
    const internet = new Internet({ seed: 1 })
    const host = internet.host({ addresses: ['203.0.113.1', '203.0.113.5'] })
    const starting = startPartner(
      internet,
      host,
      TransportAddress.of('203.0.113.2', 3478),
      key.path,
      change(key.path),
    )
    await expect(starting).rejects.toThrow(message)
    await expect(starting).rejects.toMatchObject({ code: 'configuration-invalid' })
  })

  it.each([
    ['empty', [], /has no key in it/],
    [
      'too short',
      ['0123456789'],
      /key 1 has 10 bytes, and 32 are the least: make one with "openssl rand -hex 32"/,
    ],
  ] as const)('is refused when its key file is %s', async (_name, lines, message) => {
    key.write(...lines)
    await expect(partnerWorld(key.path)).rejects.toThrow(message)
  })

  it('warns of a key that everybody may read', async () => {
    const { chmodSync } = await import('node:fs')
    chmodSync(key.path, 0o644)
    const { a } = await partnerWorld(key.path)
    expect(a.lines[0]).toMatch(/^warn --partner-key .* can be read by every user: chmod o-r$/)
  })

  it('may be a name, which is asked for once', async () => {
    const internet = new Internet({ seed: 1 })
    const [first, second] = [internet.host(), internet.host()]
    internet.name('b.example', second)
    const named = { partners: [{ host: 'b.example', port: 3478 }] }
    const a = await startPartner(internet, first, second.address(3478), key.path, named)
    await startPartner(internet, second, first.address(3478), key.path)
    await internet.runAsync({ for: 3000 })
    expect(a.server.partners).toEqual([{ partner: `${second.address(3478)}`, isUp: true }])
  })
})

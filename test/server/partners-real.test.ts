/** Two `turnpike serve` on two loopback addresses that are partners, by every driver, and `turnpike nat` against them. */

import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { exchangeStun, type StunExchangeResult } from '../../src/net/stun-exchange.ts'
import type { ProbeReport } from '../../src/probe/report.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { keyFile, partnerKeys } from '../support/partner-world.ts'
import { type Child, startCli } from '../support/programs.ts'
import { quietPorts } from '../support/quiet-ports.ts'

const host = new NodeHost()
const children: Child[] = []
const key = keyFile(partnerKeys.first)

afterAll(() => key.remove())
afterEach(() => Promise.all(children.splice(0).map((child) => child.stop('SIGKILL'))))

/** Limit: for a machine that is many times slower; what takes longest is programs that start. */
const limitMs = 400_000

const both: Attribute = ['CHANGE-REQUEST', { changeIp: true, changePort: true }]
const ipOnly: Attribute = ['CHANGE-REQUEST', { changeIp: true, changePort: false }]

function ask(server: TransportAddress, ...attributes: Attribute[]): Promise<StunExchangeResult> {
  return new Promise((resolve) => {
    const options = { transport: 'udp', server, attributes, anySource: true } as const
    exchangeStun(host, options, resolve)
  })
}

/** What an answer to a plain request names as the other address; undefined for none. */
async function otherAddress(server: TransportAddress): Promise<string | undefined> {
  const result = await ask(server)
  const other = result.type === 'answered' ? result.response.get('OTHER-ADDRESS') : undefined
  return other === undefined ? undefined : `${other}`
}

/** Limit: longer than any machine needs; a test that comes here has failed. */
async function untilOther(server: TransportAddress, expected: string | undefined): Promise<void> {
  const end = performance.now() + 90_000
  while ((await otherAddress(server)) !== expected) {
    if (performance.now() > end) throw new Error(`${server} does not name ${expected ?? 'no other address'}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** On two addresses that nobody else uses; on others when a port is taken meanwhile. */
async function startPair(flags: readonly string[]): Promise<readonly [TransportAddress, TransportAddress]> {
  for (let attempt = 1; ; attempt++) {
    const net = `127.${1 + Math.floor(Math.random() * 254)}.${Math.floor(Math.random() * 256)}`
    const port = await quietPorts(2)
    const [a, b] = [1, 2].map((end) => TransportAddress.of(`${net}.${end}`, port))
    const pair = [
      [a!, b!],
      [b!, a!],
    ].map(([own, partner]) => {
      const child = startCli(
        [
          ...['serve', '--listen', `udp://${own}`, '--partner', `${partner}`, '--partner-key', key.path],
          ...['--user', 'user:pass', '--log-format', 'json', ...flags],
        ],
        { timeoutSeconds: 600 },
      )
      children.push(child)
      return child.waitFor(/^\{"event":"listening".*\}$/m)
    })
    try {
      await Promise.all(pair)
      return [a!, b!]
    } catch (error) {
      await Promise.all(children.splice(0).map((child) => child.stop('SIGKILL')))
      if (attempt === 10) throw error
    }
  }
}

describe.each([
  ['node:dgram with two workers', ['--io', 'dgram', '--workers', '2']],
  ['the best driver with two workers', ['--io', 'auto', '--workers', '2']],
] as const)('partners over %s', { timeout: limitMs }, (_name, flags) => {
  it('answer for each other, keep the link when the key is read again, and are one server each without', async () => {
    const [a, b] = await startPair(flags)
    await untilOther(a, `${b.withPort(a.port + 1)}`)
    await untilOther(b, `${a.withPort(a.port + 1)}`)
    for (const [asked, other] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const [attribute, port] of [
        [both, a.port + 1],
        [ipOnly, a.port],
      ] as const) {
        const result = await ask(asked, attribute)
        expect(result.type === 'answered' && `${result.source}`).toBe(`${other.withPort(port)}`)
      }
    }
    const [first, second] = children
    first!.process.kill('SIGHUP')
    await first!.waitFor(/partner key reloaded/)
    const again = await ask(a, both)
    expect(again.type === 'answered' && `${again.source}`).toBe(`${b.withPort(a.port + 1)}`)
    await second!.stop('SIGKILL')
    await untilOther(a, undefined)
    await first!.waitFor(/the partner is gone/)
    const refused = await ask(a, both)
    expect(refused).toMatchObject({ type: 'failed', failure: { code: 420 } })
  })
})

describe('turnpike nat', { timeout: limitMs }, () => {
  it('finds by a pair of partners that nothing is filtered here', async () => {
    const [a, b] = await startPair(['--io', 'dgram'])
    await untilOther(a, `${b.withPort(a.port + 1)}`)
    for (let attempt = 1; ; attempt++) {
      const { stdout, output } = await startCli(['nat', `stun:${a}`, '-4', '--json']).ended
      const report: ProbeReport = JSON.parse(stdout)
      const nat = report.families.udp4?.nat
      expect(nat?.mapping.possible, output).toContain('EIM')
      expect(nat?.filtering.possible, output).toContain('EIF')
      // A machine that is too busy for the five seconds leaves something open, which is no wrong word.
      if ((nat?.mapping.value == null || nat.filtering.value === null) && attempt < 4) continue
      expect(nat?.mapping).toMatchObject({ value: 'EIM', vantage: 'rfc5780' })
      expect(nat?.filtering.value).toBe('EIF')
      return
    }
  })
})

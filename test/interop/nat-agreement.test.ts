/**
 * coturn's `turnutils_natdiscovery` and `turnpike nat` against each other's servers, with RFC 5780 on two loopback addresses:
 * both find that there is no NAT, and what it is that does not filter.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProbeReport } from '../../src/probe/report.ts'
import { startCoturn } from '../support/coturn-server.ts'
import { type Child, missingPrograms, start, startCli } from '../support/programs.ts'
import { quietPorts } from '../support/quiet-ports.ts'

const missing = missingPrograms(
  'agreement of NAT probers',
  ['turnserver', 'turnutils_natdiscovery'],
  'apt-get install coturn',
)

/** A machine that is too busy for the five seconds leaves something open, which is no wrong word: it is asked again. */
const attempts = 4

interface Server {
  readonly port: number
  stop(): Promise<unknown>
}

/** `turnpike serve` as it is run for this, on two ports that are free. */
async function startOurs(): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = await quietPorts(2)
    const child: Child = startCli([
      ...['serve', '--no-auth', '--listen', `udp://127.0.0.1:${port}`, '--listen', `tcp://127.0.0.1:${port}`],
      ...['--alternate-address', '127.0.0.2', '--log-level', 'warn'],
    ])
    const isUp = await child.waitFor(/^\{"event":"listening".*\}$/m).then(
      () => true,
      () => false,
    )
    if (isUp) return { port, stop: () => child.stop() }
    if (attempt === 5) throw new Error(`turnpike does not start: ${(await child.ended).output}`)
  }
}

async function startTheirs(): Promise<Server> {
  const { port, stop } = await startCoturn(['-L', '127.0.0.2'])
  return { port, stop }
}

describe.skipIf(missing.length > 0).each([
  ['turnpike', startOurs],
  ['coturn', startTheirs],
] as const)('on loopback, against %s', (name, startServer) => {
  let server: Server

  beforeAll(async () => {
    server = await startServer()
  })

  afterAll(async () => {
    await server?.stop()
  })

  it('turnutils_natdiscovery finds endpoint-independent mapping and filtering', async () => {
    const { code, output } = await start(
      'turnutils_natdiscovery',
      ['-m', '-f', '-p', `${server.port}`, '127.0.0.1'],
      { timeoutSeconds: 60 },
    ).ended
    expect(output).toContain('NAT with Endpoint Independent Mapping!')
    expect(output).toContain('NAT with Endpoint Independent Filtering!')
    expect(code, output).toBe(0)
  })

  it('turnpike nat finds the same, and that there is no NAT', async () => {
    for (let attempt = 1; ; attempt++) {
      const ended = await startCli(['nat', `stun:127.0.0.1:${server.port}`, '-4', '--json']).ended
      const report: ProbeReport = JSON.parse(ended.stdout)
      const udp = report.families.udp4!
      // Never without it, however busy the machine is.
      if (udp.reachable.value === true) {
        expect(report.servers[0], ended.output).toMatchObject({
          rfc5780: { value: true },
          other: `127.0.0.2:${server.port + 1}`,
        })
      }
      expect(udp.nat?.mapping.possible ?? ['EIM'], ended.output).toContain('EIM')
      expect(udp.nat?.filtering.possible ?? ['EIF'], ended.output).toContain('EIF')
      const isOpen = udp.nat?.mapping.value == null || udp.nat.filtering.value === null
      if (isOpen && attempt < attempts) continue
      expect(udp, ended.output).toMatchObject({
        isDirect: { value: true },
        nat: { mapping: { value: 'EIM', vantage: 'rfc5780' }, filtering: { value: 'EIF' } },
      })
      expect(report.verdict.legacy).toBe('open-internet')
      if (name === 'turnpike') expect(udp.nat?.alg.value).toBe(false)
      expect(ended.code).toBe(0)
      return
    }
  })
})

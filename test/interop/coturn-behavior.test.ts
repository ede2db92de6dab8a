/** coturn's NAT behavior discovery programs (RFC 5780) against `turnpike serve` on two loopback addresses. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, missingPrograms, start, startCli } from '../support/programs.ts'

const missing = missingPrograms(
  "interop with coturn's behavior discovery",
  ['turnutils_stunclient', 'turnutils_natdiscovery'],
  'apt-get install coturn',
)

/** Below the ports that systems hand out, so that both of a pair are seldom taken. */
const ports = { min: 20_000, max: 32_000 }
const attempts = 20

describe.skipIf(missing.length > 0)("coturn's behavior discovery programs", () => {
  let server: Child
  let port: number

  beforeAll(async () => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      port = ports.min + Math.floor(Math.random() * ((ports.max - ports.min) / 2)) * 2
      server = startCli([
        ...[
          'serve',
          '--user',
          'u:p',
          '--listen',
          `udp://127.0.0.1:${port}`,
          '--listen',
          `tcp://127.0.0.1:${port}`,
        ],
        ...['--alternate-address', '127.0.0.2', '--unauthenticated-rate', '0'],
      ])
      const started = await server.waitFor(/^\{"event":"listening".*\}$/m).catch(() => undefined)
      if (started !== undefined) return
    }
    throw new Error(`no free pair of ports in ${attempts} attempts`)
  })

  afterAll(async () => {
    const ended = await server?.stop()
    expect(ended?.code, ended?.stderr.slice(-2000)).toBe(0)
  })

  it('turnutils_stunclient gets all three answers, and the other address', async () => {
    const { code, output } = await start('turnutils_stunclient', ['-p', `${port}`, '127.0.0.1'], {
      timeoutSeconds: 25,
    }).ended
    for (const number of [1, 2, 3]) expect(output).toContain(`RFC 5780 response ${number}`)
    expect(output).toContain(`Other addr: : 127.0.0.2:${port + 1}`)
    expect(output).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/)
    expect(code).toBe(0)
  })

  it('turnutils_natdiscovery finds a host without a NAT, by mapping and by filtering', async () => {
    const { code, output } = await start(
      'turnutils_natdiscovery',
      ['-m', '-f', '-p', `${port}`, '127.0.0.1'],
      {
        timeoutSeconds: 25,
      },
    ).ended
    expect(output).toContain('NAT with Endpoint Independent Mapping!')
    expect(output).toContain('NAT with Endpoint Independent Filtering!')
    expect(output).toContain('No ALG: Mapped == XOR-Mapped')
    expect(code).toBe(0)
  })

  it('turnutils_natdiscovery finds a binding alive after a second, by RESPONSE-PORT', async () => {
    const { code, output } = await start(
      'turnutils_natdiscovery',
      ['-t', '-T', '1', '-p', `${port}`, '127.0.0.1'],
      { timeoutSeconds: 25 },
    ).ended
    expect(output.match(/RFC 5780 response/g)).toHaveLength(2)
    expect(output).not.toContain('timeout')
    expect(code).toBe(0)
  })

  it('turnutils_natdiscovery gets answers that are padded over the MTU', async () => {
    const { code, output } = await start(
      'turnutils_natdiscovery',
      ['-m', '-f', '-P', '-p', `${port}`, '127.0.0.1'],
      {
        timeoutSeconds: 25,
      },
    ).ended
    expect(output).toContain('NAT with Endpoint Independent Filtering!')
    expect(output).not.toContain('timeout')
    expect(code).toBe(0)
  })
})

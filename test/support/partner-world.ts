/** Two servers on a simulated internet, with one address each, that are partners. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatAddress, type TransportAddress } from '../../src/core/transport-address.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log, LogFields } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { Place } from '../../src/sim/places.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'

export const partnerKeys = { first: 'k'.repeat(64), second: 'q'.repeat(64) }

/** A file with these keys, gone with `remove`. */
export function keyFile(...lines: string[]): {
  path: string
  write(...lines: string[]): void
  remove(): void
} {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-partner-'))
  const path = join(folder, 'key')
  const write = (...keys: string[]) =>
    writeFileSync(path, keys.map((key) => `${key}\n`).join(''), { mode: 0o600 })
  write(...lines)
  return { path, write, remove: () => rmSync(folder, { recursive: true }) }
}

export interface PartnerServer {
  readonly host: SimHost
  readonly address: TransportAddress
  /** `level message`, in order. */
  readonly lines: string[]
  server: RunningServer
}

/** Both start at once, and the time that they need to find each other has passed. */
export async function partnerWorld(
  key: string,
  {
    seed = 1,
    hosts = {},
    config = {},
  }: { seed?: number; hosts?: object; config?: Partial<ServeConfig> } = {},
): Promise<{ internet: Internet; a: PartnerServer; b: PartnerServer }> {
  const internet = new Internet({ seed })
  const [first, second] = [internet.host(hosts), internet.host(hosts)]
  const a = await startPartner(internet, first, second.address(3478), key, config)
  const b = await startPartner(internet, second, first.address(3478), key, config)
  await internet.runAsync({ for: 3000 })
  return { internet, a, b }
}

export async function startPartner(
  internet: Internet,
  host: SimHost,
  partner: TransportAddress,
  key: string,
  more: Partial<ServeConfig> = {},
): Promise<PartnerServer> {
  const address = host.address(3478)
  const lines: string[] = []
  const say = (level: string) => (message: string, _fields?: LogFields) =>
    void lines.push(`${level} ${message}`)
  const log: Log = { debug: () => {}, info: say('info'), warn: say('warn'), error: say('error') }
  const config: ServeConfig = {
    ...defaultConfig,
    users: [{ name: 'user', password: 'pass' }],
    listen: [{ transport: 'udp', address, isOptional: false }],
    partners: [{ host: partner.ip, port: partner.port }],
    partnerKeyFile: key,
    ...more,
  }
  return { host, address, lines, server: await internet.until(startServer(config, host, log)) }
}

export interface PartnerAnswer {
  readonly from: string
  readonly at: number
  readonly length: number
  readonly message: Message
}

/** What comes to two new sockets of a host at that place, the first of which asks; `at` says to which of the two. */
export function askPartner(
  internet: Internet,
  place: Pick<Place, 'host'>,
  server: TransportAddress,
  attributes: (second: TransportAddress) => readonly Attribute[],
): PartnerAnswer[] {
  const client = place.host()
  const answers: PartnerAnswer[] = []
  const open = (at: number) =>
    client.bindUdp(
      { address: client.address(20_000 + at, server.family) },
      {
        bound: () => {},
        failed: (reason) => {
          throw new Error(reason)
        },
        datagram: (bytes, source) => {
          const message = decodeMessage(bytes.slice())
          if (typeof message === 'string') throw new Error(message)
          answers.push({ from: formatAddress(source), at, length: bytes.length, message })
        },
        sendFailed: () => {},
      },
    )
  const [first, second] = [open(0), open(1)]
  internet.run({ for: 10 })
  const transactionId = client.random.bytes(12)
  const bytes = encodeMessage({
    class: 'request',
    method: 'Binding',
    transactionId,
    attributes: attributes(client.address(20_001, server.family)),
  })
  first.send(bytes, server)
  internet.run({ for: 1000 })
  first.close()
  second.close()
  return answers
}

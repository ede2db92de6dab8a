/** A turnpike server in a simulated internet, and clients that speak to it by bare bytes over TCP and TLS. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StreamSocket } from '../../src/core/host.ts'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log, LogFields } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { simulatedCertificate } from '../../src/sim/certificate.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { StreamFramer } from '../../src/stun/stream-framing.ts'
import { Recorder } from './probe-stream.ts'

export const tcpPort = 3478
export const tlsPort = 5349
const user = { name: 'alice', password: 'wonder' }

export class StreamWorld {
  readonly internet = new Internet({ seed: 1 })
  readonly serverHost = this.internet.host()
  readonly log: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = []
  server!: RunningServer

  async start(config: Partial<ServeConfig> = {}): Promise<this> {
    const listen = [
      { transport: 'udp', address: this.serverHost.address(tcpPort), isOptional: false },
      { transport: 'tcp', address: this.serverHost.address(tcpPort), isOptional: false },
      { transport: 'tls', address: this.serverHost.address(tlsPort), isOptional: false },
    ] as const
    const folder = mkdtempSync(join(tmpdir(), 'turnpike-streams-'))
    const files = { certificateFile: join(folder, 'crt'), keyFile: join(folder, 'key') }
    const { certificate, key } = simulatedCertificate({ names: ['turn.example'] })
    writeFileSync(files.certificateFile, certificate)
    writeFileSync(files.keyFile, key)
    this.server = await this.internet.until(
      startServer(
        { ...defaultConfig, users: [user], listen, tlsCertificates: [files], ...config },
        this.serverHost,
        this.#newLog(),
      ),
    )
    rmSync(folder, { recursive: true })
    return this
  }

  connect(transport: 'tcp' | 'tls' = 'tcp', host = this.internet.host()): StreamClient {
    return new StreamClient(this, host, transport)
  }

  run(milliseconds: number): void {
    this.internet.run({ for: milliseconds })
  }

  /** What was logged under this message. */
  logged(message: string): LogFields[] {
    return this.log.filter((line) => line.message === message).map(({ fields }) => fields)
  }

  #newLog(): Log {
    const add =
      (level: string) =>
      (message: string, fields: LogFields = {}) =>
        void this.log.push({ level, message, fields })
    return { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') }
  }
}

export class StreamClient {
  readonly recorder: Recorder
  readonly socket: StreamSocket
  /** Messages from the server, ChannelData among them, as they came. */
  readonly received: Uint8Array[] = []
  readonly #world: StreamWorld
  readonly #framer = new StreamFramer()
  #nonce = ''
  #realm = ''
  #transactions = 0

  constructor(world: StreamWorld, host: SimHost, transport: 'tcp' | 'tls') {
    this.#world = world
    this.recorder = new Recorder(host)
    this.recorder.onData = (bytes) => {
      this.#framer.push(bytes)
      for (let message = this.#framer.next(); message !== undefined; message = this.#framer.next()) {
        this.received.push(message)
      }
    }
    const remote = world.serverHost.address(transport === 'tls' ? tlsPort : tcpPort)
    const tls = { serverName: 'turn.example', alpn: ['stun.turn'] }
    this.socket = host.connectTcp(
      { remote, timeoutMs: 30_000, ...(transport === 'tls' ? { tls } : {}) },
      this.recorder,
    )
    world.internet.run({ until: () => this.recorder.lines.length > 0, for: 20_000 })
  }

  /** The connection has been ended by the server, or never came to be. */
  get isOver(): boolean {
    return this.recorder.lines.some((line) => /ended|closed|failed/.test(line))
  }

  /** When that was, in milliseconds of the simulated clock. */
  get overAt(): number {
    return Number.parseInt(this.recorder.lines.find((line) => /ended|closed|failed/.test(line)) ?? '', 10)
  }

  encode(method: MethodName, attributes: readonly Attribute[], isSigned = true): Uint8Array {
    const transactionId = new Uint8Array(12)
    transactionId[11] = ++this.#transactions
    if (!isSigned) return encodeMessage({ class: 'request', method, transactionId, attributes })
    const credentials: Attribute[] = [
      ['USERNAME', user.name],
      ['REALM', this.#realm],
      ['NONCE', this.#nonce],
    ]
    const key = longTermKey(user.name, this.#realm, user.password)
    return encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...credentials] },
      { integrity: [{ algorithm: 'sha1', key }] },
    )
  }

  /** Sends bytes and gives the first message that comes back; throws when none does within five seconds. */
  exchange(bytes: Uint8Array): Message {
    const before = this.received.length
    this.socket.write(bytes)
    this.#world.internet.run({ until: () => this.received.length > before, for: 5000 })
    const answer = this.received[before]
    if (answer === undefined) throw new Error('no answer')
    const message = decodeMessage(answer)
    if (typeof message === 'string') throw new Error(message)
    return message
  }

  bind(): TransportAddress {
    return this.exchange(this.encode('Binding', [], false)).get('XOR-MAPPED-ADDRESS')!
  }

  request(method: MethodName, attributes: readonly Attribute[] = []): Message {
    if (this.#nonce === '') {
      const challenge = this.exchange(this.encode(method, attributes, false))
      this.#nonce = challenge.get('NONCE')!
      this.#realm = challenge.get('REALM')!
    }
    return this.exchange(this.encode(method, attributes))
  }

  allocate(attributes: readonly Attribute[] = []): TransportAddress {
    const answer = this.request('Allocate', [['REQUESTED-TRANSPORT', 17], ...attributes])
    const relayed = answer.get('XOR-RELAYED-ADDRESS')
    if (relayed === undefined) throw new Error(`no allocation: ${answer.get('ERROR-CODE')?.code}`)
    return relayed
  }

  bindChannel(number: number, peer: TransportAddress): Message {
    return this.request('ChannelBind', [
      ['CHANNEL-NUMBER', number],
      ['XOR-PEER-ADDRESS', peer],
    ])
  }
}

/** ChannelData as it stands on a stream, padded. */
export function channelData(number: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((data.length + 3) & ~3))
  bytes.set([number >> 8, number & 255, data.length >> 8, data.length & 255])
  bytes.set(data, 4)
  return bytes
}

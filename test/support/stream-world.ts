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
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { Recorder } from './probe-stream.ts'
import { StreamSpeaker, streamUser } from './stream-speaker.ts'

export const tcpPort = 3478
export const tlsPort = 5349

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
        { ...defaultConfig, users: [streamUser], listen, tlsCertificates: [files], ...config },
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

export class StreamClient extends StreamSpeaker {
  readonly recorder: Recorder
  readonly socket: StreamSocket
  readonly #world: StreamWorld

  constructor(world: StreamWorld, host: SimHost, transport: 'tcp' | 'tls') {
    super()
    this.#world = world
    this.recorder = new Recorder(host)
    this.recorder.onData = (bytes) => this.hear(bytes)
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

  /** Sends bytes and gives the first message that comes back; throws when none does within five seconds. */
  exchange(bytes: Uint8Array): Message {
    const before = this.received.length
    this.socket.write(bytes)
    this.#world.internet.run({ until: () => this.received.length > before, for: 5000 })
    if (this.received.length === before) throw new Error('no answer')
    return this.message(before)
  }

  bind(): TransportAddress {
    return this.exchange(this.encode('Binding', [], false)).get('XOR-MAPPED-ADDRESS')!
  }

  request(method: MethodName, attributes: readonly Attribute[] = []): Message {
    if (!this.isChallenged) this.takeChallenge(this.exchange(this.encode(method, attributes, false)))
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

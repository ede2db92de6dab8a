/** A turnpike server in this process on real sockets of loopback, and stream clients that speak to it by bare bytes. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { StreamSpeaker, streamUser } from './stream-speaker.ts'

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A server for clients by TCP, in this thread; `more` has the last word. */
export function startStreamServer(more: Partial<ServeConfig> = {}): Promise<RunningServer> {
  const address = TransportAddress.of('127.0.0.1', 0)
  return startServer(
    {
      ...defaultConfig,
      users: [streamUser],
      listen: [{ transport: 'tcp', address, isOptional: false }],
      allowPeers: [parseAddressRange('127.0.0.0/8')],
      ...more,
    },
    new NodeHost(),
    silent,
  )
}

export class RealStreamClient extends StreamSpeaker {
  readonly socket: Socket
  isClosed = false

  constructor(port: number, localAddress = '127.0.0.1') {
    super()
    this.socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
    this.socket.on('data', (bytes: Uint8Array) => this.hear(bytes))
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** The first message that comes back after the bytes were sent. */
  async exchange(bytes: Uint8Array): Promise<Message> {
    const before = this.received.length
    this.socket.write(bytes)
    while (this.received.length === before) {
      if (this.isClosed) throw new Error('the connection was closed')
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
    }
    return this.message(before)
  }

  async request(method: MethodName, attributes: readonly Attribute[] = []): Promise<Message> {
    if (!this.isChallenged) this.takeChallenge(await this.exchange(this.encode(method, attributes, false)))
    return this.exchange(this.encode(method, attributes))
  }

  async allocate(): Promise<TransportAddress> {
    const answer = await this.request('Allocate', [['REQUESTED-TRANSPORT', 17]])
    const relayed = answer.get('XOR-RELAYED-ADDRESS')
    if (relayed === undefined) throw new Error(`no allocation: ${answer.get('ERROR-CODE')?.code}`)
    return relayed
  }

  bindChannel(number: number, peer: TransportAddress): Promise<Message> {
    return this.request('ChannelBind', [
      ['CHANNEL-NUMBER', number],
      ['XOR-PEER-ADDRESS', peer],
    ])
  }
}

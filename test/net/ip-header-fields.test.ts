/** What becomes of the fields of the IP header on the way through the server (RFC 8656 §13, §14), by each driver. */

import { readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { HeaderSocket } from '../support/header-socket.ts'
import { type Child, startTurnpike } from '../support/programs.ts'

const libc = loadLibc()
/** Expedited forwarding, and ECT(0). */
const marked = (46 << 2) | 2
const data = new TextEncoder().encode('data')

let server: (Child & { port: number }) | undefined
const open: HeaderSocket[] = []
afterEach(async () => {
  for (const socket of open.splice(0)) socket.close()
  await server?.stop()
})

function headerSocket(): HeaderSocket {
  if (typeof libc === 'string') throw new Error(libc)
  const socket = new HeaderSocket(libc)
  open.push(socket)
  return socket
}

function encode(method: MethodName, attributes: readonly Attribute[]): Uint8Array {
  const transactionId = crypto.getRandomValues(new Uint8Array(12))
  return encodeMessage({
    class: method === 'Send' ? 'indication' : 'request',
    method,
    transactionId,
    attributes,
  })
}

function read(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

it.skipIf(typeof libc === 'string').each([
  ['mmsg', 'DSCP and ECN as they came', marked],
  ['dgram', 'DSCP best effort and Not-ECT', 0],
])('by %s a relayed packet has %s, and the TTL of the system, both ways', async (io, _what, tos) => {
  server = await startTurnpike(['--io', io, '--no-auth', '--allow-peer', '127.0.0.0/8'])
  const listening = TransportAddress.of('127.0.0.1', server.port)
  const [client, peer] = [headerSocket(), headerSocket()]
  const peerAddress = TransportAddress.of('127.0.0.1', peer.port)
  const ask = async (method: MethodName, attributes: readonly Attribute[]) => {
    client.send(encode(method, attributes), listening)
    return read((await client.receive()).bytes)
  }
  const relayed = (await ask('Allocate', [['REQUESTED-TRANSPORT', 17]])).get('XOR-RELAYED-ADDRESS')!
  expect((await ask('CreatePermission', [['XOR-PEER-ADDRESS', peerAddress]])).class).toBe('success')
  const ttl = Number(readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8'))
  for (const socket of [client, peer]) {
    socket.setTos(marked)
    socket.setTtl(7)
  }
  const toPeer: Attribute[] = [
    ['XOR-PEER-ADDRESS', peerAddress],
    ['DATA', data],
  ]
  client.send(encode('Send', toPeer), listening)
  expect(await peer.receive()).toEqual({ bytes: data, tos, ttl })
  peer.send(data, relayed)
  const { bytes, ...fields } = await client.receive()
  expect([read(bytes).method, fields]).toEqual(['Data', { tos, ttl }])
})

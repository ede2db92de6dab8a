/**
 * What node:dgram costs by itself: a forwarder that knows nothing of TURN and does what makes dgram cheap (no look-up of
 * literals, no callbacks, texts kept). One socket for all clients and one for each of them towards its peer, as a relay has.
 * A datagram of six bytes, the peer's address and port, asks for a socket and is answered with its port; all others are
 * forwarded as they are. Argument: the port to listen on.
 */

import { createSocket, type Socket, type SocketOptions } from 'node:dgram'

const receiveBufferBytes = 4 * 1024 * 1024
const options: SocketOptions = {
  type: 'udp4',
  lookup: (host, _options, callback) => callback(null, host, 4),
}

interface Flow {
  readonly socket: Socket
  readonly peerIp: string
  readonly peerPort: number
}

const flows = new Map<string, Flow>()
const front = createSocket(options)
front.on('message', (bytes, { address, port }) => {
  const flow = flows.get(address)
  if (flow !== undefined) flow.socket.send(bytes, flow.peerPort, flow.peerIp)
  else if (bytes.length === 6) flows.set(address, open(bytes, address, port))
})
front.bind(Number(process.argv[2]), '127.0.0.1', () => {
  front.setRecvBufferSize(receiveBufferBytes)
  process.stdout.write('{"event":"listening"}\n')
})

function open(peer: Buffer, clientIp: string, clientPort: number): Flow {
  const socket = createSocket(options)
  socket.on('message', (bytes) => front.send(bytes, clientPort, clientIp))
  socket.bind(0, '127.0.0.1', () => {
    socket.setRecvBufferSize(receiveBufferBytes)
    const { port } = socket.address()
    front.send(Uint8Array.of(port >> 8, port & 255), clientPort, clientIp)
  })
  return { socket, peerIp: peer.subarray(0, 4).join('.'), peerPort: peer.readUInt16BE(4) }
}

/** The system's choice of a source address: a UDP socket is connected, which sends nothing, and asked where it is. */

import { createSocket } from 'node:dgram'
import { TransportAddress } from '../core/transport-address.ts'

/** connect(2) wants a port; no packet ever carries it. */
const anyPort = 9
const unspecified = { 4: '0.0.0.0', 6: '::' } as const

export function sourceFor(remote: TransportAddress): TransportAddress | undefined {
  const family = remote.family === 'IPv4' ? 4 : 6
  // Literals are looked up at once, so all of this happens before the calls return.
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    lookup: (ip, _options, callback) => callback(null, ip, family),
  })
  // That it could not be connected is told here, later; its address tells at once.
  socket.on('error', () => {})
  try {
    socket.connect(anyPort, remote.ip)
    const { address } = socket.address()
    return address === unspecified[family] ? undefined : TransportAddress.of(address.replace(/%.*$/, ''), 0)
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

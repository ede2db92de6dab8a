/** Tries at the start what every allocation will do, so that the operator hears of it, and not the first client. */

import { TurnpikeError } from '../core/errors.ts'
import type { Host, UdpSocket } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'

/** Whether the address can be bound at all, with a port that the system chooses. */
export function probeRelayAddress(address: TransportAddress, host: Host): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: UdpSocket = host.bindUdp(
      { address },
      {
        bound: () => {
          socket.close()
          resolve()
        },
        failed: (reason) =>
          reject(
            new TurnpikeError(
              'relay-address-unavailable',
              `cannot relay from ${address.ip} (${reason}): give an address of this host with --relay-address, and the public one with --external-address`,
            ),
          ),
        datagram: () => {},
        sendFailed: () => {},
      },
    )
  })
}

/** Whether TCP can be listened for there, on a port that connections are made from too. */
export function probeTcpRelay(address: TransportAddress, host: Host): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener = host.listenTcp(
      { address, isShared: true },
      {
        bound: () => {
          listener.close()
          resolve()
        },
        failed: (reason) => {
          const cure =
            reason === 'ENOTSUP' ? 'it takes Linux and Node.js 26 or later' : `cannot listen on ${address.ip}`
          reject(new TurnpikeError('relay-address-unavailable', `--tcp-relay: ${cure} (${reason})`))
        },
        connection: (stream) => {
          stream.close()
          return ignoring
        },
        handshakeFailed: () => {},
        acceptFailed: () => {},
      },
    )
  })
}

const ignoring = {
  opened: () => {},
  failed: () => {},
  data: () => {},
  drained: () => {},
  ended: () => {},
  closed: () => {},
}

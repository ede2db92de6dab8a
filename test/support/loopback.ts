/** Addresses of this machine that nobody else uses: all of 127.0.0.0/8 is loopback, where there is Linux. */

import { TransportAddress } from '../../src/core/transport-address.ts'

/** One to relay from: every port of it is free, whatever other programs do. The port is 0. */
export function quietLoopback(): TransportAddress {
  const byte = () => 1 + Math.floor(Math.random() * 254)
  return TransportAddress.of(`127.${byte()}.${byte()}.${byte()}`, 0)
}

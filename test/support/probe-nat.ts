/** A host behind a NAT, and others outside that say where its packets come from. */

import type { TransportAddress } from '../../src/core/transport-address.ts'
import { Internet, type InternetOptions } from '../../src/sim/internet.ts'
import type { NatPlaceOptions } from '../../src/sim/places.ts'
import { ProbeSocket } from './probe-socket.ts'

export function behindNat(options: NatPlaceOptions, internetOptions: Partial<InternetOptions> = {}) {
  const internet = new Internet({ seed: 1, ...internetOptions })
  const nat = internet.nat(options)
  const host = nat.host()
  const outside = new ProbeSocket(internet.host(), { port: 1111 })
  internet.run()
  /** A socket of the host inside that is bound already. */
  const open = (port: number, on = host) => {
    const socket = new ProbeSocket(on, { port })
    internet.run({ for: 0 })
    return socket
  }
  /** Where the socket's packets are seen to come from. */
  const mapped = (socket: ProbeSocket, by = outside): string => {
    const before = by.arrived.length
    socket.send('who am I', by.local!)
    internet.run({ for: 100 })
    return by.arrived.length > before ? by.lastFrom : 'nowhere'
  }
  const external = (port: number): TransportAddress => nat.addresses[0]!.withPort(port)
  return { internet, nat, host, outside, open, mapped, external }
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

export function ipOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

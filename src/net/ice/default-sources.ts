/** Where the system sends from by default, in each family: these addresses go before others. */

import type { Host, InterfaceAddress } from '../../core/host.ts'
import { TransportAddress } from '../../core/transport-address.ts'

/** Public addresses that every default route leads to: a root name server's. Nothing is sent there. */
const landmarks = [TransportAddress.of('198.41.0.4', 0), TransportAddress.of('2001:503:ba3e::2:30', 0)]

/** Asked only where there is a choice: of one address there is no order. */
export function defaultSources(host: Host, interfaces: readonly InterfaceAddress[]): TransportAddress[] {
  return landmarks.flatMap((landmark) => {
    const { family } = landmark
    const choice = interfaces.filter(({ internal, address }) => !internal && address.family === family)
    const source = choice.length < 2 ? choice[0]?.address : host.sourceFor(landmark)
    return source === undefined ? [] : [source]
  })
}

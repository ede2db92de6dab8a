/** What a host in a lab runs: one probe, its report as JSON on stdout. */

import { TransportAddress } from '../../../src/core/transport-address.ts'
import { NodeHost } from '../../../src/net/node-host.ts'
import { probeLifetime } from '../../../src/probe/lifetime.ts'
import { probeNat } from '../../../src/probe/nat.ts'
import { parseServerUri } from '../../../src/stun/uri.ts'

export interface ProbeOrder {
  readonly server: string
  readonly relay?: string | undefined
  readonly hairpin?: boolean | undefined
  readonly ladder?: readonly number[] | undefined
}

/** Several probes share a processor here, and may be slower than a person has patience for. */
const patienceMs = 20_000
const { server, relay, hairpin, ladder }: ProbeOrder = JSON.parse(process.argv[2]!)
const host = new NodeHost()
const report =
  ladder === undefined
    ? await probeNat(host, {
        servers: [parseServerUri(`stun:${server}`)],
        families: ['udp4', 'tcp4'],
        limitMs: patienceMs,
        hairpin,
        turn:
          relay === undefined ? undefined : { uri: parseServerUri(`turn:${relay}`), credentials: undefined },
      })
    : await probeLifetime(host, { server: TransportAddress.parse(server), ladder })
process.stdout.write(JSON.stringify(report))

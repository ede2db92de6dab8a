/** What a host of the punch lab runs: orders on stdin, one JSON a line, and an answer to each on stdout. */

import { createInterface } from 'node:readline'
import { NodeHost } from '../../../src/net/node-host.ts'
import { probeNat } from '../../../src/probe/nat.ts'
import { Punch, type PunchReport } from '../../../src/probe/punch.ts'
import { decodePunchCode, encodePunchCode } from '../../../src/probe/punch-code.ts'
import type { ProbeReport } from '../../../src/probe/report.ts'
import { parseServerUri } from '../../../src/stun/uri.ts'

export type PunchOrder =
  | { readonly id: number; readonly type: 'nat' }
  | { readonly id: number; readonly type: 'open'; readonly begins: boolean }
  | { readonly id: number; readonly type: 'connect'; readonly punch: number; readonly code: string }

export interface PunchAnswer {
  readonly id: number
  readonly nat?: ProbeReport
  readonly code?: string
  readonly report?: PunchReport
}

/** Several probes share a processor here, and may be slower than a person has patience for. */
const patienceMs = 20_000
const server = process.argv[2]!
const limitMs = 6000
const host = new NodeHost()
const punches = new Map<number, Punch>()
let network: ProbeReport | undefined

async function carryOut(order: PunchOrder): Promise<PunchAnswer> {
  const { id } = order
  switch (order.type) {
    case 'nat':
      network = await probeNat(host, {
        servers: [parseServerUri(`stun:${server}`)],
        families: ['udp4'],
        limitMs: patienceMs,
      })
      return { id, nat: network }
    case 'open': {
      const role = order.begins ? 'controlling' : 'controlled'
      const punch = await Punch.open(host, { role, servers: [`stun:${server}`], network: network! })
      punches.set(id, punch)
      return { id, code: encodePunchCode(punch.offer) }
    }
    case 'connect': {
      const punch = punches.get(order.punch)!
      const remote = decodePunchCode(order.code)
      if (typeof remote === 'string') throw new Error(remote)
      const report = await punch.connect(remote, { limitMs, isPeerLate: false })
      punch.close()
      return { id, report }
    }
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  void carryOut(JSON.parse(line)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`))
})

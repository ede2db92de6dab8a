/** Which external ports new mappings get (RFC 4787 §4.2), and from how many public addresses. */

import type { TransportAddress } from '../core/transport-address.ts'
import { type Finding, known, unknown } from './behavior.ts'
import { ProbeSocket } from './probe-socket.ts'
import type { Run } from './run.ts'

/** A socket's first mapping. */
export interface PortSample {
  readonly local: TransportAddress
  readonly mapped: TransportAddress
}

export interface PortFindings {
  readonly portPreserved: Finding<boolean>
  readonly parity: Finding<boolean>
  readonly contiguity: Finding<boolean>
  readonly allocation: Finding<'preserved' | 'sequential' | 'random'> & { readonly delta: number | null }
  readonly publicIps: number
}

const rowLength = 4
/** Limit: chance keeps the parity of that many ports once in a million runs. */
const paritySamples = 20

/** Sockets on consecutive ports, each of which asks the server once. In the order in which they asked. */
export async function sampleRow(
  run: Run,
  like: ProbeSocket,
  server: TransportAddress,
): Promise<PortSample[]> {
  const sockets: ProbeSocket[] = []
  for (let tries = 0; tries < 4 && sockets.length < rowLength; tries++) {
    for (const socket of sockets.splice(0)) socket.close()
    for (let i = 0; i < rowLength; i++) {
      const port = sockets[0] === undefined ? undefined : sockets[0].local.port + i
      const socket =
        port !== undefined && port > 65_535 ? 'EADDRINUSE' : await ProbeSocket.open(run, like.local, port)
      if (typeof socket === 'string') break
      sockets.push(socket)
    }
  }
  const asked = await Promise.all(sockets.map((socket) => socket.ask(server)))
  for (const socket of sockets) socket.close()
  return asked.flatMap((one, i) =>
    one.type === 'answered' ? [{ local: sockets[i]!.local, mapped: one.mapped }] : [],
  )
}

/** More sockets, for as long as chance could explain that parity has been kept. */
export async function moreForParity(
  run: Run,
  like: ProbeSocket,
  server: TransportAddress,
  samples: readonly PortSample[],
): Promise<PortSample[]> {
  const needs =
    samples.some(({ local, mapped }) => local.port !== mapped.port) &&
    samples.every(({ local, mapped }) => isSameParity(local.port, mapped.port))
  const more: PortSample[] = []
  while (needs && samples.length + more.length < paritySamples) {
    const socket = await ProbeSocket.open(run, like.local)
    if (typeof socket === 'string') break
    const asked = await socket.ask(server)
    socket.close()
    if (asked.type !== 'answered') break
    more.push({ local: socket.local, mapped: asked.mapped })
    if (!isSameParity(socket.local.port, asked.mapped.port)) break
  }
  return more
}

export function judgePorts(samples: readonly PortSample[], row: readonly PortSample[]): PortFindings {
  const publicIps = new Set(samples.map(({ mapped }) => mapped.ip)).size
  const arePreserved = samples.length > 0 && samples.every(({ local, mapped }) => local.port === mapped.port)
  const none = unknown('too few sockets had an answer')
  if (samples.length < 3) {
    return {
      portPreserved: none,
      parity: none,
      contiguity: none,
      allocation: { ...none, delta: null },
      publicIps,
    }
  }
  return {
    portPreserved: judgePreserved(samples, arePreserved),
    parity: judgeParity(samples, arePreserved),
    contiguity: row.length < rowLength ? none : known(areContiguous(row)),
    allocation: judgeAllocation(row, arePreserved),
    publicIps,
  }
}

function judgePreserved(samples: readonly PortSample[], arePreserved: boolean): Finding<boolean> {
  if (arePreserved) return known(true)
  return samples.some(({ local, mapped }) => local.port === mapped.port)
    ? unknown('some ports were preserved and some were not')
    : known(false)
}

function judgeParity(samples: readonly PortSample[], arePreserved: boolean): Finding<boolean> {
  if (samples.some(({ local, mapped }) => !isSameParity(local.port, mapped.port))) return known(false)
  return arePreserved || samples.length >= paritySamples
    ? known(true)
    : unknown(`kept ${samples.length} times of ${samples.length}, which may be chance`)
}

function areContiguous(row: readonly PortSample[]): boolean {
  return row.every(({ mapped }, i) => mapped.port === row[0]!.mapped.port + i)
}

/** How far apart two ports of a sequence may be that others take ports from too. */
const nearby = 16

function judgeAllocation(row: readonly PortSample[], arePreserved: boolean): PortFindings['allocation'] {
  if (arePreserved) return { ...known('preserved'), delta: 0 }
  if (row.some(({ local, mapped }) => local.port === mapped.port)) {
    return { ...unknown('some ports were preserved and some were not'), delta: null }
  }
  if (row.length < 3) return { ...unknown('too few sockets had an answer'), delta: null }
  // Packets that were lost and repeated may have changed the order, so that neighbours are what counts.
  const ports = row.map(({ mapped }) => mapped.port).sort((x, y) => x - y)
  const deltas = ports.slice(1).map((port, i) => port - ports[i]!)
  if (deltas.every((delta) => delta <= nearby)) return { ...known('sequential'), delta: Math.min(...deltas) }
  if (deltas.every((delta) => delta > nearby)) return { ...known('random'), delta: null }
  return { ...unknown('some ports were neighbours and some were not'), delta: null }
}

function isSameParity(x: number, y: number): boolean {
  return (x & 1) === (y & 1)
}

/**
 * Hairpinning (RFC 5780 §3.4, RFC 4787 §6) and, where it works, how many NATs are on the way: the fewest hops after
 * which a packet to ourselves comes back are twice the distance of the NAT that owns our public address. Opt-in: some
 * firewalls take a packet from a network to itself for an attack.
 */

import { TransportAddress } from '../core/transport-address.ts'
import { isSameBytes } from '../stun/bytes.ts'
import { encodeMessage } from '../stun/encode.ts'
import { decodeMessage } from '../stun/message.ts'
import { type Finding, known, type Mapping, unknown } from './behavior.ts'
import { ProbeSocket } from './probe-socket.ts'
import type { HairpinReport } from './report.ts'
import type { Run } from './run.ts'

const tries = 10
const intervalMs = 40
const mostHops = 12

/** What is no STUN message. */
const opening = new Uint8Array([0xff])

interface Path {
  readonly from: ProbeSocket
  readonly to: ProbeSocket
  /** The receiver as the NAT shows it. */
  readonly mapped: TransportAddress
  /** The sender as the NAT shows it, which the receiver sends to first. */
  readonly opener: TransportAddress
}

export interface HairpinResult {
  readonly hairpin: HairpinReport
  readonly layers: Finding<number>
}

export async function measureHairpin(
  run: Run,
  like: ProbeSocket,
  server: TransportAddress,
  mapping: Mapping | null,
): Promise<HairpinResult> {
  const inner = await ProbeSocket.open(run, like.local)
  const outer = await ProbeSocket.open(run, like.local)
  if (typeof inner === 'string' || typeof outer === 'string') return nothing('no socket for it')
  const [toInner, toOuter] = await Promise.all([inner.ask(server), outer.ask(server)])
  if (toInner.type !== 'answered' || toOuter.type !== 'answered') return nothing(`${server} did not answer`)
  if (toInner.mapped.equals(inner.local)) return nothing('there is no NAT')
  const path: Path = { from: outer, to: inner, mapped: toInner.mapped, opener: toOuter.mapped }
  const source = await arrival(run, path, undefined)
  if (source === 'cut') return nothing('the run ended before')
  if (source === undefined && mapping !== 'EIM') {
    return nothing('where mappings depend on the destination, a filter may have stopped it')
  }
  if (source === undefined) {
    return { hairpin: { ...known(false), source: null }, layers: unknown('needs a NAT that hairpins') }
  }
  const hairpin = { ...known(true), source: source.equals(outer.local) ? 'internal' : 'external' } as const
  return { hairpin, layers: await measureLayers(run, path) }
}

async function measureLayers(run: Run, path: Path): Promise<Finding<number>> {
  for (let hops = 1; hops <= mostHops; hops++) {
    const source = await arrival(run, path, hops)
    if (source === 'cut') return unknown('the run ended before')
    if (source !== undefined) return known(Math.max(1, Math.floor(hops / 2)))
  }
  return unknown(`nothing came back within ${mostHops} hops`)
}

/** Where the receiver saw the packet come from; undefined if it never came. */
async function arrival(
  run: Run,
  { from, to, mapped, opener }: Path,
  hops: number | undefined,
): Promise<TransportAddress | 'cut' | undefined> {
  const transactionId = run.host.random.bytes(12)
  let seen: TransportAddress | undefined
  to.onOther = (bytes, source) => {
    const message = decodeMessage(bytes)
    if (typeof message === 'string' || !isSameBytes(message.transactionId, transactionId)) return
    seen = TransportAddress.from(source)
  }
  from.setTtl(hops ?? 64)
  if (!(await run.turn())) return 'cut'
  const request = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })
  for (let i = 0; i < tries && seen === undefined; i++) {
    // Our own packet opens the filter for the other socket's, where one depends on the sender.
    to.send(opening, opener)
    from.send(request, mapped)
    if (!(await run.sleep(intervalMs))) return seen ?? 'cut'
  }
  return seen
}

function nothing(reason: string): HairpinResult {
  return { hairpin: { ...unknown(reason), source: null }, layers: unknown(reason) }
}

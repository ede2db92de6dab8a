/** One pacer for all agents of a host (RFC 8445 §14.2): docs/adr/0017-one-ta-for-a-host.md. */

import type { Host } from '../../core/host.ts'
import { Pacer } from '../../ice/pacer.ts'

const pacers = new WeakMap<Host, Pacer>()

export function pacerOf(host: Host): Pacer {
  const known = pacers.get(host)
  if (known !== undefined) return known
  const pacer = new Pacer()
  pacers.set(host, pacer)
  return pacer
}

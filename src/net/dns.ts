/** Names by node:dns: addresses as the system resolves them (hosts file included), SRV and NAPTR from the DNS. */

import { lookup, Resolver } from 'node:dns/promises'
import type { DnsAnswer, DnsQuery } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'

export function resolveDns(query: DnsQuery, callback: (answer: DnsAnswer) => void): () => void {
  let isCancelled = false
  const resolver = new Resolver()
  ask(query, resolver)
    .catch(
      (error): DnsAnswer => ({ type: 'failed', reason: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN' }),
    )
    .then((answer) => {
      if (!isCancelled) callback(answer)
    })
  return () => {
    isCancelled = true
    // A query that nobody waits for would keep the process from ending for as long as it takes.
    resolver.cancel()
  }
}

async function ask({ name, type }: DnsQuery, resolver: Resolver): Promise<DnsAnswer> {
  if (type === 'SRV') return { type: 'services', services: await resolver.resolveSrv(name) }
  if (type === 'NAPTR') return { type: 'pointers', pointers: await resolver.resolveNaptr(name) }
  const found = await lookup(name, { all: true, family: type === 'A' ? 4 : 6 })
  return { type: 'addresses', addresses: found.map(({ address }) => TransportAddress.of(address, 0)) }
}

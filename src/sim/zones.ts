/**
 * The DNS of a simulated internet: records by name and type, names that fail, names that are slow. Queries do not
 * travel as packets; they take the time that is set for the name.
 */

import type { DnsAnswer, DnsPointer, DnsQuery, DnsService } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { embed } from './prefix64.ts'

export interface DnsRecords {
  /** IPv4 addresses as text. */
  readonly A?: readonly string[]
  /** IPv6 addresses as text. */
  readonly AAAA?: readonly string[]
  readonly SRV?: readonly DnsService[]
  readonly NAPTR?: readonly DnsPointer[]
  /** Every query for the name fails with this code, such as ESERVFAIL or ETIMEOUT. */
  readonly fails?: string
  /** How long an answer takes. */
  readonly delayMs?: number
}

export class Zones {
  readonly #names = new Map<string, DnsRecords>([
    // Well known, so that a host can find out which NAT64 prefix its network has (RFC 7050 §2).
    ['ipv4only.arpa', { A: ['192.0.0.170', '192.0.0.171'] }],
  ])
  /** For names that have no delay of their own. */
  defaultDelayMs = 10

  /** Sets the records of a name, and replaces those it had. */
  set(name: string, records: DnsRecords): void {
    this.#names.set(canonical(name), records)
  }

  remove(name: string): void {
    this.#names.delete(canonical(name))
  }

  delayMs(name: string): number {
    return this.#names.get(canonical(name))?.delayMs ?? this.defaultDelayMs
  }

  /** What a resolver answers. With a prefix it is a DNS64: AAAA made from A where there is none (RFC 6147 §5.1). */
  answer({ name, type }: DnsQuery, prefix64: TransportAddress | undefined): DnsAnswer {
    const records = this.#names.get(canonical(name))
    if (records === undefined) return { type: 'failed', reason: 'ENOTFOUND' }
    if (records.fails !== undefined) return { type: 'failed', reason: records.fails }
    switch (type) {
      case 'SRV':
        return records.SRV ? { type: 'services', services: records.SRV } : noData
      case 'NAPTR':
        return records.NAPTR ? { type: 'pointers', pointers: records.NAPTR } : noData
      case 'A':
        return addresses(records.A)
      case 'AAAA': {
        const own = records.AAAA ?? []
        if (own.length > 0 || prefix64 === undefined) return addresses(own)
        const made = (records.A ?? []).map((ip) => embed(prefix64, TransportAddress.of(ip, 0)).ip)
        return addresses(made)
      }
    }
  }
}

const noData: DnsAnswer = { type: 'failed', reason: 'ENODATA' }

function addresses(texts: readonly string[] | undefined): DnsAnswer {
  if (texts === undefined || texts.length === 0) return noData
  return { type: 'addresses', addresses: texts.map((ip) => TransportAddress.of(ip, 0)) }
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

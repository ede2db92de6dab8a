/** One sentence of what all findings come to. */

import { type LegacyName, legacyName } from './behavior.ts'
import { connectsWith, peers, possibleBehaviors } from './predict.ts'
import type { FamilyName, FamilyReport, Verdict } from './report.ts'

const natNumbers: Readonly<Partial<Record<LegacyName, Verdict['nat']>>> = {
  'full-cone': 'NAT1',
  'restricted-cone': 'NAT2',
  'port-restricted-cone': 'NAT3',
  symmetric: 'NAT4',
}

export function verdictOf(families: Partial<Record<FamilyName, FamilyReport>>): Verdict {
  const udp = families.udp4?.reachable.value === true ? families.udp4 : (families.udp6 ?? families.udp4)
  const none = { legacy: null, nat: null }
  if (udp === undefined) return { ...none, direct: 'unknown', summary: 'Nothing was measured.', reasons: [] }
  if (udp.reachable.value !== true || udp.nat === null) {
    const tcp = families.tcp4?.reachable.value === true || families.tcp6?.reachable.value === true
    const reason = udp.reachable.reason ?? 'no answer over UDP'
    if (udp.reachable.value === null)
      return { ...none, direct: 'unknown', summary: `Not known: ${reason}.`, reasons: [reason] }
    return tcp
      ? {
          ...none,
          direct: 'no',
          summary: 'UDP is blocked here: calls need a relay that is reached over TCP or TLS.',
          reasons: ['udp-blocked'],
        }
      : {
          ...none,
          direct: 'unknown',
          summary:
            'No server answers, neither over UDP nor over TCP: they are down, or everything is blocked.',
          reasons: ['unreachable'],
        }
  }
  const { mapping, filtering } = udp.nat
  const legacy = legacyName(udp.isDirect.value === true, mapping.value, filtering.value) ?? null
  const nat = legacy === null ? null : (natNumbers[legacy] ?? null)
  const reasons = [mapping.value, filtering.value].filter((one) => one !== null)
  const mine = possibleBehaviors(udp)
  const home = connectsWith(mine, [peers.portRestricted])
  const carrier = connectsWith(mine, [peers.symmetric])
  return { direct: directOf(home), legacy, nat, summary: summaryOf(home, carrier), reasons }
}

function directOf(home: boolean | null): Verdict['direct'] {
  if (home === null) return 'unknown'
  return home ? 'likely' : 'unlikely'
}

function summaryOf(home: boolean | null, carrier: boolean | null): string {
  if (home === true && carrier === true) return 'You can connect directly to practically every peer.'
  if (home === true && carrier === false) {
    return 'You can connect directly to most peers. A relay is needed for those behind symmetric NATs (mobile carriers, some offices).'
  }
  if (home === true)
    return 'You can connect directly to most peers; for those behind symmetric NATs it is not known.'
  if (home === false) {
    return 'You need a relay (TURN) for most peers. Direct connections work only to those whose NAT filters little.'
  }
  return 'Whether you can connect directly could not be told.'
}

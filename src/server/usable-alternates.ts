/** The addresses of NAT behavior discovery that a configuration asks for, if they work on this host. */

import type { Host } from '../core/host.ts'
import type { AlternateAddresses } from '../turn/behavior-discovery.ts'
import { alternatesOf, warnOfPrivateAlternates } from './alternate-config.ts'
import { type SelfTestResult, testAlternates } from './alternate-self-test.ts'
import type { ServeConfig } from './config.ts'
import { listenFailed } from './listeners.ts'
import type { Log } from './log.ts'

/** None, with a warning, where they do not reach each other. Rejects with `listen-failed` where one cannot be opened. */
export async function usableAlternates(
  config: ServeConfig,
  host: Host,
  log: Log,
): Promise<readonly AlternateAddresses[]> {
  const alternates = alternatesOf(config, config.listen)
  for (const { transport, bound } of alternates) {
    if (transport !== 'udp') continue
    const result = await new Promise<SelfTestResult>((resolve) => testAlternates(bound, host, resolve))
    if (result.type === 'refused') throw listenFailed(transport, result.address, result.reason)
    if (result.type === 'lost') {
      const { from, to } = result
      log.warn('no behavior discovery: what one of its addresses sends does not arrive at another', {
        from: `${from}`,
        to: `${to}`,
      })
      return []
    }
  }
  warnOfPrivateAlternates(alternates, log)
  return alternates
}

/** How much a stranger draws by a request without credentials (RFC 8489 §9.2.4), maybe at a victim's address. */

import type { Random } from '../core/random.ts'
import { instant } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { encodeMessage } from '../stun/encode.ts'
import { Authenticator } from '../turn/authentication.ts'
import { type CredentialsConfig, credentialsOf } from './credentials-config.ts'
import type { Log } from './log.ts'

/** Limit: the shortest Allocate has 28 bytes. With the headers of IP and UDP, 128 bytes answer 56: 2.3 times as many. */
export const longestChallenge = 100

/** Bytes of the 401 that such a request is answered with. */
export function challengeLength(config: CredentialsConfig, random: Random): number {
  const { realm, tokenKeys, serverName = realm } = config
  const authenticator = new Authenticator(
    { realm, credentials: credentialsOf(config), tokenKeys, serverName },
    random,
  )
  return encodeMessage({
    class: 'error',
    method: 'Allocate',
    transactionId: new Uint8Array(12),
    attributes: [
      ['ERROR-CODE', { code: 401, reason: '' }],
      ...authenticator.challenge(TransportAddress.of('127.0.0.1', 0), instant(0)),
    ],
  }).length
}

export function warnOfLongChallenge(config: CredentialsConfig, random: Random, log: Log): void {
  if (config.noAuth) return
  const length = challengeLength(config, random)
  if (length <= longestChallenge) return
  log.warn(
    `strangers are answered with ${length} bytes, ${length - longestChallenge} more than is good against forged sources: shorten --realm${config.tokenKeys.length > 0 ? ' and --oauth-server-name' : ''}, or lower --unauthenticated-rate`,
  )
}

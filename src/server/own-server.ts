/**
 * Who answers at an address that is in use: a server of ours, by letting in whom this configuration lets in, or another
 * program that knows STUN too. What is asked allocates nothing.
 */

import type { Host } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { exchangeStun, type StunExchangeOptions, type StunExchangeResult } from '../net/stun-exchange.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { ClientCredentials } from '../stun/client-authentication.ts'
import { mintCredentials } from '../turn/shared-secret.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import type { CredentialsConfig } from './credentials-config.ts'
import { isWildcard } from './wildcard.ts'

const answerMs = 3000
const mintedSeconds = 60

export type Answerer =
  | { readonly type: 'none' }
  | { readonly type: 'ours' }
  /** `software`: what it calls itself, if it does. */
  | { readonly type: 'other'; readonly software: string | undefined }

export async function whoAnswers(
  host: Host,
  transport: ClientTransport,
  address: TransportAddress,
  config: CredentialsConfig,
): Promise<Answerer> {
  const server = reachable(address)
  const binding = await askBinding(host, transport, server, [])
  if (binding === undefined) return { type: 'none' }
  // Ours names itself to those who have logged in, and to nobody else.
  if (binding.software !== undefined) return { type: 'other', software: binding.software }
  const credentials = credentialsOf(config, host)
  const result = await exchange(host, {
    transport,
    server,
    method: 'Refresh',
    attributes: [['LIFETIME', 0]],
    credentials,
  })
  const code =
    result.type === 'failed' && result.failure.type === 'rejected' ? result.failure.code : undefined
  // 437: let in, and there is no allocation to refresh. Without a password at hand, to be asked for one has to do.
  const isOurs = code === 437 || (code === 401 && credentials === undefined && !config.noAuth)
  return isOurs ? { type: 'ours' } : { type: 'other', software: undefined }
}

export interface BindingAnswer {
  readonly other: TransportAddress | undefined
  readonly source: TransportAddress
  readonly software: string | undefined
}

/** Undefined when nobody says yes in time. */
export async function askBinding(
  host: Host,
  transport: ClientTransport,
  server: TransportAddress,
  attributes: readonly Attribute[],
): Promise<BindingAnswer | undefined> {
  const result = await exchange(host, { transport, server, attributes, anySource: true })
  if (result.type !== 'answered' || result.response.class !== 'success') return undefined
  const { response, source } = result
  return { other: response.get('OTHER-ADDRESS'), source, software: response.get('SOFTWARE') }
}

function exchange(host: Host, options: StunExchangeOptions): Promise<StunExchangeResult> {
  return new Promise((resolve) => {
    exchangeStun(host, { ...options, deadlineMs: answerMs, tls: { allowInvalid: true } }, resolve)
  })
}

/** Where a wildcard is asked. */
function reachable(address: TransportAddress): TransportAddress {
  if (!isWildcard(address)) return address
  return TransportAddress.of(address.family === 'IPv4' ? '127.0.0.1' : '::1', address.port)
}

/** Those of somebody whom this configuration lets in; undefined where it has no password itself. */
function credentialsOf({ users, secrets }: CredentialsConfig, host: Host): ClientCredentials | undefined {
  for (const user of users) {
    if ('password' in user) return { type: 'long-term', username: user.name, password: user.password }
  }
  const [secret] = secrets
  if (secret === undefined) return undefined
  const expiresAt = Math.floor(host.clock.epochSeconds()) + mintedSeconds
  return { type: 'long-term', ...mintCredentials(secret, 'selftest', expiresAt) }
}

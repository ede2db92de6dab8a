/** Binding requests and responses as a peer would send them, with any part left out or wrong. */

import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { IceAgent } from '../../src/ice/agent.ts'
import type { IceCredentials } from '../../src/ice/credentials.ts'
import type { Attribute, AttributeName } from '../../src/stun/attributes.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import type { MethodName } from '../../src/stun/methods.ts'

export const peerCredentials: IceCredentials = {
  ufrag: 'peerfrag',
  pwd: 'peer-password-0123456789'.replaceAll('-', 'x'),
}

let transactions = 0

/** 12 bytes that no other message has. */
export function newTransactionId(): Uint8Array {
  transactions++
  return Uint8Array.from({ length: 12 }, (_, i) => (transactions >> (8 * (i % 4))) & 255)
}

export interface RequestParts {
  readonly username?: string
  readonly password?: string
  readonly role?: 'controlling' | 'controlled'
  readonly tiebreaker?: bigint
  readonly nominate?: boolean
  readonly nomination?: number
  readonly without?: readonly (AttributeName | 'integrity' | 'fingerprint' | 'role')[]
  readonly more?: readonly Attribute[]
  readonly transactionId?: Uint8Array
  readonly method?: MethodName
  readonly priority?: number
}

/** A check by the peer, whose credentials are `peerCredentials` unless the username says otherwise. */
export function checkOf(agent: IceAgent, parts: RequestParts = {}): Uint8Array {
  const { ufrag, pwd } = agent.localDescription
  const role = parts.role ?? (agent.role === 'controlling' ? 'controlled' : 'controlling')
  const without = parts.without ?? []
  const attributes: Attribute[] = [
    ['USERNAME', parts.username ?? `${ufrag}:${peerCredentials.ufrag}`],
    ['PRIORITY', parts.priority ?? 1_845_501_695],
  ]
  if (!without.includes('role')) {
    attributes.push([role === 'controlling' ? 'ICE-CONTROLLING' : 'ICE-CONTROLLED', parts.tiebreaker ?? 1n])
  }
  if (parts.nominate === true || parts.nomination !== undefined) attributes.push(['USE-CANDIDATE', true])
  if (parts.nomination !== undefined) attributes.push(['NOMINATION', parts.nomination])
  attributes.push(...(parts.more ?? []))
  return encodeMessage(
    {
      class: 'request',
      method: parts.method ?? 'Binding',
      transactionId: parts.transactionId ?? newTransactionId(),
      attributes: attributes.filter(([name]) => !without.includes(name)),
    },
    {
      integrity: without.includes('integrity')
        ? []
        : [{ algorithm: 'sha1', key: shortTermKey(parts.password ?? pwd) }],
      fingerprint: !without.includes('fingerprint'),
    },
  )
}

/** A success to a check of ours, signed with the peer's password. */
export function successTo(
  transactionId: Uint8Array,
  mapped: TransportAddress,
  password = peerCredentials.pwd,
): Uint8Array {
  return encodeMessage(
    { class: 'success', method: 'Binding', transactionId, attributes: [['XOR-MAPPED-ADDRESS', mapped]] },
    { integrity: [{ algorithm: 'sha1', key: shortTermKey(password) }], fingerprint: true },
  )
}

export function errorTo(
  transactionId: Uint8Array,
  code: number,
  /** null: not signed at all. */
  password: string | null = peerCredentials.pwd,
): Uint8Array {
  return encodeMessage(
    {
      class: 'error',
      method: 'Binding',
      transactionId,
      attributes: [['ERROR-CODE', { code, reason: '' }]],
    },
    {
      integrity: password === null ? [] : [{ algorithm: 'sha1', key: shortTermKey(password) }],
      fingerprint: true,
    },
  )
}

/** A response with none of what a response has to have. */
export function emptySuccessTo(transactionId: Uint8Array): Uint8Array {
  return encodeMessage(
    { class: 'success', method: 'Binding', transactionId, attributes: [] },
    { integrity: [{ algorithm: 'sha1', key: shortTermKey(peerCredentials.pwd) }], fingerprint: true },
  )
}

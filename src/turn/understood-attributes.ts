/** Which comprehension-required attributes each request may carry; any other is answered 420 (RFC 8489 §6.3.1). */

import { type AttributeName, attributes, isComprehensionRequired } from '../stun/attributes.ts'
import type { Message } from '../stun/message.ts'
import type { MethodName } from '../stun/methods.ts'

const always: readonly AttributeName[] = [
  'USERNAME',
  'USERHASH',
  'REALM',
  'NONCE',
  'PASSWORD-ALGORITHM',
  'MESSAGE-INTEGRITY',
  'MESSAGE-INTEGRITY-SHA256',
]

/** An ACCESS-TOKEN has been refused before where nobody has asked for one (RFC 7635 §7). */
const byMethod: Partial<Record<MethodName, readonly AttributeName[]>> = {
  Allocate: [
    'ACCESS-TOKEN',
    'REQUESTED-TRANSPORT',
    'LIFETIME',
    'REQUESTED-ADDRESS-FAMILY',
    'EVEN-PORT',
    'RESERVATION-TOKEN',
  ],
  Refresh: ['ACCESS-TOKEN', 'LIFETIME', 'REQUESTED-ADDRESS-FAMILY'],
  CreatePermission: ['ACCESS-TOKEN', 'XOR-PEER-ADDRESS'],
  ChannelBind: ['ACCESS-TOKEN', 'CHANNEL-NUMBER', 'XOR-PEER-ADDRESS'],
  Connect: ['ACCESS-TOKEN', 'XOR-PEER-ADDRESS'],
  ConnectionBind: ['ACCESS-TOKEN', 'CONNECTION-ID'],
}

const understood = new Map(
  (['Binding', ...Object.keys(byMethod)] as MethodName[]).map((method) => [
    method,
    new Set([...always, ...(byMethod[method] ?? [])].map((name): number => attributes[name].type)),
  ]),
)

/** Limit: how many are told, so that the answer stays smaller than the question and under 44 bytes. */
const reported = 6

/**
 * The comprehension-required types in the message that the method does not know; each once. `more` is what it knows
 * besides on this server, as it is configured.
 */
export function unknownAttributes(
  message: Message,
  method: MethodName,
  more: readonly AttributeName[] = [],
): number[] {
  const known = understood.get(method)
  const unknown = message
    .types()
    .filter(
      (type) =>
        isComprehensionRequired(type) &&
        known?.has(type) !== true &&
        !more.some((name) => attributes[name].type === type),
    )
  return [...new Set(unknown)].slice(0, reported)
}

/**
 * What the types of attributes and messages have to refuse. `npm run check` compiles this file, and a line that is
 * expected to be an error and is none is an error itself. Nothing of it is run.
 */

import type { AttributeName } from '../../src/stun/attributes.ts'
import { encodeMessage, type OutgoingMessage } from '../../src/stun/encode.ts'
import type { Message } from '../../src/stun/message.ts'

export function doesNotCompile(read: Message, message: OutgoingMessage, name: AttributeName): unknown[] {
  const lifetime: number | undefined = read.get('LIFETIME')
  const tieBreaker: bigint | undefined = read.get('ICE-CONTROLLED')
  return [
    lifetime,
    tieBreaker,
    read.get(name),
    // @ts-expect-error: no attribute has that name
    read.get('XOR-MAPED-ADDRESS'),
    // @ts-expect-error: names are in RFC spelling
    read.has('lifetime'),
    // @ts-expect-error: a lifetime is a number
    read.get('LIFETIME')?.length,
    // @ts-expect-error: what is looked up may not be there
    read.get('LIFETIME').toFixed(),
    // @ts-expect-error: a tie-breaker is a bigint
    (read.get('ICE-CONTROLLED') ?? 0n) + 1,
    encodeMessage({ ...message, attributes: [['LIFETIME', 600]] }),
    // @ts-expect-error: no attribute has that name
    encodeMessage({ ...message, attributes: [['LIFE-TIME', 600]] }),
    // @ts-expect-error: a lifetime is a number
    encodeMessage({ ...message, attributes: [['LIFETIME', '600']] }),
    // @ts-expect-error: an address is an object of its own, not its text
    encodeMessage({ ...message, attributes: [['XOR-PEER-ADDRESS', '192.0.2.1:1']] }),
    // @ts-expect-error: a flag is there or is not
    encodeMessage({ ...message, attributes: [['DONT-FRAGMENT', false]] }),
    // @ts-expect-error: a priority has no value that is a flag
    encodeMessage({ ...message, attributes: [['PRIORITY', true]] }),
    // @ts-expect-error: an error has a reason, if only an empty one
    encodeMessage({ ...message, attributes: [['ERROR-CODE', { code: 400 }]] }),
    // @ts-expect-error: there is no such class
    encodeMessage({ ...message, class: 'response' }),
    // @ts-expect-error: there is no such method
    encodeMessage({ ...message, method: 'Alocate' }),
  ]
}

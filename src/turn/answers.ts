/** Where an outcome becomes a message: the one place that encodes answers, and signs them (RFC 8489 §9.2.4). */

import type { OutputQueue } from '../core/output-queue.ts'
import type { Attribute } from '../stun/attributes.ts'
import { encodeMessage } from '../stun/encode.ts'
import type { ServerCounters } from './counters.ts'
import type { Outcome, ReplyAddress } from './outcome.ts'
import type { ServerOutput } from './outputs.ts'

/** Only in answers to authenticated requests: others stay small (RFC 8656 §5 asks for it in these two). */
const software: Attribute = ['SOFTWARE', 'turnpike']

export class Answers {
  readonly #outputs: OutputQueue<ServerOutput>
  readonly #counters: ServerCounters

  constructor(outputs: OutputQueue<ServerOutput>, counters: ServerCounters) {
    this.#outputs = outputs
    this.#counters = counters
  }

  /** Signed if the request was authenticated. */
  answer(reply: ReplyAddress, outcome: Outcome): void {
    if (outcome.type === 'later' || outcome.type === 'silence') return
    const isSuccess = outcome.type === 'success'
    const attributes: Attribute[] = isSuccess
      ? [...outcome.attributes]
      : [['ERROR-CODE', { code: outcome.code, reason: '' }], ...outcome.attributes]
    const isSigned = reply.key !== undefined
    if (isSigned && (reply.method === 'Allocate' || reply.method === 'Refresh')) attributes.push(software)
    if (isSuccess) this.#counters.successResponses++
    else this.#counters.errorResponses++
    const bytes = encodeMessage(
      {
        class: isSuccess ? 'success' : 'error',
        method: reply.method,
        transactionId: reply.transactionId,
        attributes,
      },
      reply.key === undefined ? {} : { integrity: [reply.key] },
    )
    this.#outputs.push({ type: 'transmit', socket: reply.socket, destination: reply.client, bytes })
  }
}

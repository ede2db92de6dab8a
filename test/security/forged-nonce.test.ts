import { expect, it } from 'vitest'
import { encodeMessage } from '../../src/stun/encode.ts'
import { codeOf, realm, TurnHarness } from '../support/turn-harness.ts'

/** The long-term key of nobody. */
const key = new Uint8Array(16)

it('a nonce of the right length with bytes beyond ASCII is a wrong nonce, not the end of the process', () => {
  const harness = new TurnHarness()
  const client = harness.client()
  const { length } = client.challenge()
  for (let at = 0; at < length; at++) {
    const bytes = encodeMessage(
      {
        class: 'request',
        method: 'Allocate',
        transactionId: harness.random.bytes(12),
        attributes: [
          ['USERNAME', 'mallory'],
          ['REALM', realm],
          ['NONCE', 'A'.repeat(length)],
        ],
      },
      { integrity: [{ algorithm: 'sha1', key }] },
    )
    const nonceAt = bytes.length - 24 - ((length + 3) & ~3)
    expect(bytes[nonceAt]).toBe(0x41)
    bytes[nonceAt + at] = 0xe9
    expect(codeOf(client.exchange(bytes))).toBe(401)
  }
})

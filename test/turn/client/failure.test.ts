import { expect, it } from 'vitest'
import { formatTurnFailure, type PeerFailure, type TurnFailure } from '../../../src/turn/client/failure.ts'

const rejection = {
  type: 'rejected',
  unknownAttributes: [],
  alternateServers: [],
  alternateDomain: undefined,
} as const

it.each<[TurnFailure | PeerFailure, string]>([
  [{ ...rejection, code: 486, reason: 'Allocation Quota Reached' }, '486 Allocation Quota Reached'],
  [{ ...rejection, code: 499, reason: '' }, '499'],
  [{ ...rejection, code: 400, reason: `a\u001b[2J\n${'x'.repeat(200)}` }, `400 a [2J ${'x'.repeat(114)}`],
  [{ type: 'timed-out' }, 'no response'],
  [{ type: 'integrity-violated' }, 'the responses are not signed with the password'],
  [{ type: 'transport-failed', reason: 'ECONNREFUSED' }, 'ECONNREFUSED'],
  [{ type: 'expired' }, 'the allocation was not refreshed in time'],
  [{ type: 'deadline-exceeded' }, 'no allocation in time'],
  [{ type: 'bad-redirect', problem: 'round in a circle' }, 'round in a circle'],
  [{ type: 'bad-response', problem: 'no LIFETIME' }, 'no LIFETIME'],
  [{ type: 'no-free-channel' }, 'all channel numbers are in use'],
])('%j is said as %j', (failure, text) => {
  expect(formatTurnFailure(failure)).toBe(text)
})

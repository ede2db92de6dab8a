import { expect, it } from 'vitest'
import { errorCodeTable } from '../../src/stun/error-codes.ts'

/** RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3, RFC 8016 §6, RFC 8445 §20.3. */
const registered: Record<number, string> = {
  300: 'Try Alternate',
  400: 'Bad Request',
  401: 'Unauthenticated',
  403: 'Forbidden',
  405: 'Mobility Forbidden',
  420: 'Unknown Attribute',
  437: 'Allocation Mismatch',
  438: 'Stale Nonce',
  440: 'Address Family not Supported',
  441: 'Wrong Credentials',
  442: 'Unsupported Transport Protocol',
  443: 'Peer Address Family Mismatch',
  446: 'Connection Already Exists',
  447: 'Connection Timeout or Failure',
  486: 'Allocation Quota Reached',
  487: 'Role Conflict',
  500: 'Server Error',
  508: 'Insufficient Capacity',
}

it('the table has the numbers and phrases of the RFCs, and no other', () => {
  const phrases = Object.fromEntries(
    Object.entries(errorCodeTable).map(([code, { reason }]) => [code, reason]),
  )
  expect(phrases).toEqual(registered)
})

it('names the section of each', () => {
  for (const { section } of Object.values(errorCodeTable)) expect(section).toMatch(/^RFC \d{4} §[\d.]+$/)
})

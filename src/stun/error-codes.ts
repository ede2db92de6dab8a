/** THE table of error codes: number to recommended reason phrase and the section that defines it. */

export const errorCodeTable = {
  300: { reason: 'Try Alternate', section: 'RFC 8489 §14.8' },
  400: { reason: 'Bad Request', section: 'RFC 8489 §14.8' },
  401: { reason: 'Unauthenticated', section: 'RFC 8489 §14.8' },
  403: { reason: 'Forbidden', section: 'RFC 8656 §19' },
  405: { reason: 'Mobility Forbidden', section: 'RFC 8016 §6.3' },
  420: { reason: 'Unknown Attribute', section: 'RFC 8489 §14.8' },
  437: { reason: 'Allocation Mismatch', section: 'RFC 8656 §19' },
  438: { reason: 'Stale Nonce', section: 'RFC 8489 §14.8' },
  440: { reason: 'Address Family not Supported', section: 'RFC 8656 §19' },
  441: { reason: 'Wrong Credentials', section: 'RFC 8656 §19' },
  442: { reason: 'Unsupported Transport Protocol', section: 'RFC 8656 §19' },
  443: { reason: 'Peer Address Family Mismatch', section: 'RFC 8656 §19' },
  446: { reason: 'Connection Already Exists', section: 'RFC 6062 §6.3' },
  447: { reason: 'Connection Timeout or Failure', section: 'RFC 6062 §6.3' },
  486: { reason: 'Allocation Quota Reached', section: 'RFC 8656 §19' },
  487: { reason: 'Role Conflict', section: 'RFC 8445 §7.3.1.1' },
  500: { reason: 'Server Error', section: 'RFC 8489 §14.8' },
  508: { reason: 'Insufficient Capacity', section: 'RFC 8656 §19' },
} as const

export type StunErrorCode = keyof typeof errorCodeTable

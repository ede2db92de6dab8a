/** THE table of what can be wrong with a TURN server, in words, each with its cure. docs/check.md lists it; a test compares. */

import type { StunFailure } from '../../stun/client-failure.ts'
import type { PeerFailure, TurnFailure } from '../../turn/client/failure.ts'
import { formatTurnFailure } from '../../turn/client/failure.ts'
import type { ClientTransport } from '../../turn/socket-numbers.ts'
import type { Problem } from '../report.ts'

/** What the sentences of the table may speak of. */
export interface Place {
  readonly transport: ClientTransport
  readonly port: number
  readonly host: string
  /** What the system, the certificate or the server said. */
  readonly detail: string
}

interface Cure {
  readonly severity: Problem['severity']
  readonly what: (place: Place) => string
  readonly fix: (place: Place) => string
}

const wire = ({ transport }: Place) => (transport === 'udp' ? 'UDP' : 'TCP')

export const cures = {
  'name-not-found': {
    severity: 'error',
    what: ({ host, detail }) => `${host} has no address (${detail})`,
    fix: () => 'Mend the name in the URI, or add its A and AAAA records to the DNS.',
  },
  'no-route': {
    severity: 'error',
    what: ({ detail }) => `this host has no route to it (${detail})`,
    fix: () => 'Check from a host that has this family of addresses.',
  },
  'port-closed': {
    severity: 'error',
    what: (place) => `nothing listens on ${wire(place)} port ${place.port}`,
    fix: (place) =>
      `Start the server, let it listen on ${wire(place)} ${place.port}, or mend the port in the URI.`,
  },
  'no-answer': {
    severity: 'error',
    what: (place) => `no answer on ${wire(place)} port ${place.port}`,
    fix: (place) =>
      `Open ${wire(place)} ${place.port} in the firewalls of the server and of its cloud. If others reach it, it is blocked here.`,
  },
  'connection-lost': {
    severity: 'error',
    what: ({ detail }) => `the connection was closed (${detail})`,
    fix: () =>
      'Look into the log of the server, or of the proxy in front of it: it does not take this for TURN.',
  },
  'not-tls': {
    severity: 'error',
    what: ({ port }) => `port ${port} speaks plain TCP, not TLS`,
    fix: ({ port }) =>
      `Give the server a certificate for port ${port}, or write turn:…:${port}?transport=tcp in place of turns:.`,
  },
  'not-plain': {
    severity: 'error',
    what: ({ port }) => `port ${port} speaks TLS, not plain TCP`,
    fix: ({ port }) => `Write turns:…:${port}?transport=tcp in place of turn:.`,
  },
  'tls-failed': {
    severity: 'error',
    what: ({ detail }) => `no TLS session (${detail})`,
    fix: () => 'Allow TLS 1.2 or 1.3 on the server, and give it a certificate with its key.',
  },
  'certificate-expired': {
    severity: 'error',
    what: ({ detail }) => `the certificate expired ${detail} ago`,
    fix: ({ host }) => `Renew the certificate of ${host}, and have the server load it.`,
  },
  'certificate-not-yet-valid': {
    severity: 'error',
    what: () => 'the certificate is not valid yet',
    fix: () => 'Set the clocks of the server and of this host.',
  },
  'certificate-name': {
    severity: 'error',
    what: ({ host, detail }) => `the certificate is for ${detail}, not for ${host}`,
    fix: ({ host }) => `Get a certificate for ${host}, or use the name that is in it.`,
  },
  'certificate-untrusted': {
    severity: 'error',
    what: ({ detail }) => `the certificate is not trusted (${detail})`,
    fix: () => 'Serve the whole chain of a public authority; for one of your own, check with --ca FILE.',
  },
  'certificate-expires-soon': {
    severity: 'warning',
    what: ({ detail }) => `the certificate expires in ${detail}`,
    fix: ({ host }) => `Renew the certificate of ${host}.`,
  },
  'no-turn': {
    severity: 'error',
    what: () => 'it answers STUN, but does not relay',
    fix: () => 'Turn relaying on in the server, or name a TURN server.',
  },
  'no-challenge': {
    severity: 'error',
    what: ({ detail }) => `it does not ask for credentials as RFC 8489 §9.2 has it (${detail})`,
    fix: () => 'Give the server a realm and users; clients cannot log in without REALM and NONCE.',
  },
  'open-relay': {
    severity: 'warning',
    what: () => 'it relays for everybody, without credentials',
    fix: () => 'Give it users or a secret, unless nobody else can reach it.',
  },
  'credentials-missing': {
    severity: 'error',
    what: () => 'it asks for credentials, and there are none',
    fix: () => 'Give --user with --password-file, or --secret-file.',
  },
  'credentials-expired': {
    severity: 'error',
    what: ({ detail }) => `the user name was good until ${detail} ago`,
    fix: () => 'Mint new credentials (turnpike credentials), and set the clocks of both machines.',
  },
  'credentials-refused': {
    severity: 'error',
    what: ({ detail }) => `user name or password are wrong (${detail})`,
    fix: () => 'Check both, the realm they were made for, and the secret if they are minted.',
  },
  'answers-not-signed': {
    severity: 'error',
    what: () => 'its answers are not signed with this password',
    fix: () => 'Check the password; a proxy on the way that changes packets gives this too.',
  },
  forbidden: {
    severity: 'error',
    what: ({ detail }) => `it forbids this user or address to allocate (${detail})`,
    fix: () => 'Look into its log for the rule that refused it.',
  },
  'transport-unsupported': {
    severity: 'error',
    what: ({ detail }) => `it relays no UDP (${detail})`,
    fix: () => 'Turn UDP relaying on in the server.',
  },
  'quota-reached': {
    severity: 'error',
    what: ({ detail }) => `the quota of this user is used up (${detail})`,
    fix: () =>
      'Wait for allocations to end, or raise the quota (turnpike: --user-quota, coturn: user-quota).',
  },
  'no-capacity': {
    severity: 'error',
    what: ({ detail }) => `the server has no room for another allocation (${detail})`,
    fix: () =>
      'Widen the range of relay ports (turnpike: --relay-ports), raise the total quota, or add a server.',
  },
  'allocation-rejected': {
    severity: 'error',
    what: ({ detail }) => `no allocation: ${detail}`,
    fix: () => 'The log of the server has the reason.',
  },
  'relay-private': {
    severity: 'error',
    what: ({ detail }) => `it relays from ${detail}, which peers on the internet cannot reach`,
    fix: () => 'Tell it its public address (turnpike: --external-address PUBLIC, coturn: external-ip).',
  },
  'peers-refused': {
    severity: 'error',
    what: ({ detail }) => `it lets no peer in that could be tried (${detail})`,
    fix: () =>
      'Where peers are private, as in a test, allow them (turnpike: --allow-peer RANGE, coturn: allowed-peer-ip).',
  },
  'channel-refused': {
    severity: 'error',
    what: ({ detail }) => `no channel: ${detail}`,
    fix: () => 'The log of the server has the reason.',
  },
  'echo-silent': {
    severity: 'error',
    what: () => 'it allocates, but nothing comes through the relay',
    fix: () =>
      'Open the relay ports (UDP 49152-65535 unless configured) in the firewalls of the server and of its cloud.',
  },
  'echo-lossy': {
    severity: 'warning',
    what: ({ detail }) => `${detail} of the packets were lost on the relay`,
    fix: () =>
      'Look at the load of the server and at its limits of bandwidth; turnpike ping shows the line to it.',
  },
  'not-released': {
    severity: 'warning',
    what: () => 'it did not confirm that the allocation was released',
    fix: () => 'It counts for the quota until it expires, ten minutes at most.',
  },
  'peer-allowed': {
    severity: 'error',
    what: ({ detail }) => `it would relay to ${detail}`,
    fix: () =>
      'Deny them (turnpike does unless --allow-peer names them; coturn: denied-peer-ip, no-loopback-peers).',
  },
} as const satisfies Readonly<Record<string, Cure>>

export type FaultCode = keyof typeof cures

export interface Fault {
  readonly code: FaultCode
  readonly detail: string
}

export function fault(code: FaultCode, detail = ''): Fault {
  return { code, detail }
}

export function problemOf(
  { code, detail }: Fault,
  place: Omit<Place, 'detail'>,
  severity: Problem['severity'] = cures[code].severity,
): Problem {
  const { what, fix }: Cure = cures[code]
  const whole = { ...place, detail }
  const where = `${place.transport} ${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`
  return { code, severity, where, what: what(whole), fix: fix(whole) }
}

const unreachable = ['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ENETDOWN', 'EAFNOSUPPORT']

/** Why a connection could not be made, or a datagram not sent. */
export function transportFault(reason: string): Fault {
  if (reason === 'ECONNREFUSED') return fault('port-closed')
  if (reason === 'ETIMEDOUT') return fault('no-answer')
  return fault(unreachable.includes(reason) ? 'no-route' : 'connection-lost', reason)
}

/** Why there is no allocation. `expiredFor`: how long the name in use is over, in words. */
export function allocationFault(failure: TurnFailure, expiredFor: string | undefined): Fault {
  const detail = formatTurnFailure(failure)
  switch (failure.type) {
    case 'rejected':
      return rejectionFault(failure.code, detail, expiredFor)
    case 'integrity-violated':
      return fault('answers-not-signed')
    case 'timed-out':
    case 'deadline-exceeded':
      return fault('no-answer')
    case 'transport-failed':
      return transportFault(failure.reason)
    default:
      return fault('allocation-rejected', detail)
  }
}

function rejectionFault(code: number, detail: string, expiredFor: string | undefined): Fault {
  switch (code) {
    case 401:
    case 441:
      return expiredFor === undefined
        ? fault('credentials-refused', detail)
        : fault('credentials-expired', expiredFor)
    case 403:
      return fault('forbidden', detail)
    case 442:
      return fault('transport-unsupported', detail)
    case 486:
      return fault('quota-reached', detail)
    case 508:
      return fault('no-capacity', detail)
    default:
      return fault('allocation-rejected', detail)
  }
}

export function codeOf(failure: StunFailure | TurnFailure | PeerFailure): number | null {
  return failure.type === 'rejected' ? failure.code : null
}

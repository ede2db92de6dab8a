/** Why a load could not be made: in words, with the cure, and whose turn it is. */

import type { ResolvedServer } from '../net/resolve-server.ts'
import { formatTurnFailure } from '../turn/client/failure.ts'
import type { FlowFault } from './flow.ts'

/** As exit codes tell it: nobody there, wrong credentials, something that the server or this machine refuses; or no fault, but worth knowing. */
export type ProblemKind = 'unreachable' | 'unauthorized' | 'refused' | 'slow'

export interface LoadProblem {
  readonly kind: ProblemKind
  /** An error code of STUN, or the system's; `null` when there is none. */
  readonly code: string | null
  readonly text: string
  readonly cure: string
}

export interface DiagnosisContext {
  readonly server: ResolvedServer
  readonly username: string | undefined
  /** Allocations that had been made by then. */
  readonly ready: number
  readonly wanted: number
}

export function diagnose(fault: FlowFault, context: DiagnosisContext): LoadProblem {
  const { failure } = fault
  switch (failure.type) {
    case 'rejected':
      return ofRejection(failure.code, fault, context)
    case 'integrity-violated':
      return { ...wrongPassword(context), code: null }
    case 'timed-out':
    case 'deadline-exceeded':
      return silence(context)
    case 'transport-failed':
      return ofTransport(failure.reason, context)
    default:
      return {
        kind: 'refused',
        code: null,
        text: `${after(context)}${formatTurnFailure(failure)}`,
        cure:
          fault.step === 'redirect'
            ? 'add --yes if that server is yours too'
            : 'turnpike load needs a server that keeps to RFC 8656',
      }
  }
}

function ofRejection(code: number, fault: FlowFault, context: DiagnosisContext): LoadProblem {
  const said = formatTurnFailure(fault.failure)
  const refused = { kind: 'refused', code: `${code}` } as const
  const { wanted } = context
  if (fault.step === 'channel' && code === 403) {
    return {
      ...refused,
      text: `the server does not let its clients reach this machine (${said} to ChannelBind)`,
      cure: 'allow the address: turnpike serve --allow-peer 127.0.0.0/8, coturn --allow-loopback-peers',
    }
  }
  switch (code) {
    case 401:
      return { ...wrongPassword(context), code: '401' }
    case 486:
      return {
        ...refused,
        text: `${after(context)}the user's quota is reached (${said})`,
        cure: `raise it (turnpike serve --user-quota and --total-quota, coturn --user-quota) to ${wanted}, or ask for fewer --flows`,
      }
    case 508:
      return {
        ...refused,
        text: `${after(context)}the server has no relay port or other room left (${said})`,
        cure: 'give it more (turnpike serve --relay-ports, coturn --min-port and --max-port), or ask for fewer --flows',
      }
    case 437:
      return {
        ...refused,
        text: `${after(context)}the server takes this client for another one (${said})`,
        cure: 'wait for what an earlier run has left to expire, or restart the server',
      }
    default:
      return {
        ...refused,
        text: `${after(context)}the server refuses ${fault.step === 'channel' ? 'ChannelBind' : 'Allocate'}: ${said}`,
        cure: 'its log says why',
      }
  }
}

function wrongPassword({ username }: DiagnosisContext): Omit<LoadProblem, 'code'> {
  return username === undefined
    ? {
        kind: 'unauthorized',
        text: 'the server asks for a user (401)',
        cure: 'give --user NAME with --password-file FILE, or --secret-file FILE',
      }
    : {
        kind: 'unauthorized',
        text: `the server knows no ${JSON.stringify(username)} with this password (401)`,
        cure: "look at --user and at the file with the password or secret: is it this server's?",
      }
}

function silence({ server, ready, wanted }: DiagnosisContext): LoadProblem {
  const { address, transport } = server
  if (ready === 0) {
    return {
      kind: 'unreachable',
      code: null,
      text: `no answer from ${address} by ${transport.toUpperCase()}`,
      cure: 'is a server there, at this port and by this transport, and does a firewall let it be asked?',
    }
  }
  return {
    kind: 'refused',
    code: null,
    text: `the server has ceased to answer after ${ready} of ${wanted} allocations`,
    cure: 'it may hold back answers to who has no password yet: turnpike serve --unauthenticated-rate 0',
  }
}

function ofTransport(reason: string, context: DiagnosisContext): LoadProblem {
  const { address, transport } = context.server
  const by = `${address} by ${transport.toUpperCase()} (${reason})`
  if (reason === 'EMFILE' || reason === 'ENFILE') {
    return {
      kind: 'refused',
      code: reason,
      text: `${after(context)}this machine opens no more sockets (${reason})`,
      cure: 'raise the limit with ulimit -n, or ask for fewer --flows',
    }
  }
  if (context.ready > 0) {
    return {
      kind: 'refused',
      code: reason,
      text: `${after(context)}no further connection to ${by}`,
      cure: 'the server may limit connections: turnpike serve --connections-per-address',
    }
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|ISSUER/.test(reason)) {
    return {
      kind: 'unreachable',
      code: reason,
      text: `the certificate of ${address} is not trusted (${reason})`,
      cure: 'name the server as its certificate does, and its authority with NODE_EXTRA_CA_CERTS=FILE',
    }
  }
  return {
    kind: 'unreachable',
    code: reason,
    text: `no connection to ${by}`,
    cure: 'is a server there, at this port and by this transport?',
  }
}

/** `after 10 of 50 allocations `, or nothing before the first. */
function after({ ready, wanted }: DiagnosisContext): string {
  return ready === 0 ? '' : `after ${ready} of ${wanted} allocations `
}

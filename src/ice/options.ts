/** What an agent is made with, and what is taken unless it says otherwise. */

import type { AddressMapping } from './address-mapping.ts'
import type { CandidateDescription, LocalCandidate } from './candidate.ts'
import { checkTimeoutMs } from './check.ts'
import type { IceCredentials } from './credentials.ts'
import { defaultPolicy } from './default-policy.ts'
import { minimumPacingMs, Pacer } from './pacer.ts'
import type { IcePolicy } from './policy.ts'
import type { IceRole } from './role.ts'

export interface IceAgentOptions {
  /** The initiating side is controlling (RFC 8445 §6.1.1); a conflict repairs itself. */
  readonly role: IceRole
  /** Answers checks and sends none (RFC 8445 §2.5): for hosts with public addresses. */
  readonly lite?: boolean
  /** Data streams, each with a checklist of its own. */
  readonly streams?: number
  readonly components?: number
  /** Ours of the first generation; drawn at random unless given. */
  readonly credentials?: IceCredentials
  readonly policy?: IcePolicy
  /** Shared by all agents of a host, so that together they keep to 5 ms (RFC 8445 §14.2); the transport sees to that. */
  readonly pacer?: Pacer
  /** The Ta that we propose; the larger one of both sides counts, and a side that proposes none means 50. */
  readonly pacingMs?: number
  /** How long a session without any valid pair is not yet a failed one (RFC 8863 §4). */
  readonly patienceMs?: number
  readonly maxPairs?: number
  /** Consent freshness (RFC 7675); without it, keepalive indications and no expiry. */
  readonly consent?: boolean
  readonly consentIntervalMs?: number
  readonly consentExpiryMs?: number
  /** Tr: how often a selected pair is kept alive without consent checks (RFC 8445 §11). */
  readonly keepaliveMs?: number
  /** How often valid pairs that are not in use are checked, where renomination could move to them. */
  readonly probeMs?: number
  /** How long a selected pair may be silent until the state says 'disconnected'. */
  readonly disconnectedMs?: number
  /** Offers renomination, which both sides have to know. */
  readonly renomination?: boolean
  /** Public addresses that the host has without knowing it. */
  readonly addressMapping?: readonly AddressMapping[]
  /** Candidates that are used at all; a host candidate refused here does not keep its reflexive ones away. */
  readonly gatherFilter?: (candidate: LocalCandidate) => boolean
  /** Candidates that the peer is told of. */
  readonly advertiseFilter?: (candidate: LocalCandidate) => boolean
  /** The last word on what the peer sees of a candidate: an mDNS name, a hidden related address. */
  readonly describe?: (candidate: LocalCandidate) => CandidateDescription
}

export type ResolvedOptions = Required<Omit<IceAgentOptions, 'credentials'>> & {
  readonly credentials: IceCredentials | undefined
}

/** Limit: RFC 8445 §6.1.2.5. */
const maxPairs = 100
/** Limit: RFC 7675 §5.1. */
const consentIntervalMs = 5000
const consentExpiryMs = 30_000
/** Limit: RFC 8445 §11. */
const keepaliveMs = 15_000
/** Twice before consent on them would run out. */
const probeMs = 15_000
/** The longest consent interval, 6 s, and a second for the answer. */
const disconnectedMs = 7000
/** What a side means that proposes nothing (RFC 8839 §5.5). */
export const defaultPacingMs = 50

export function resolveOptions(options: IceAgentOptions): ResolvedOptions {
  return {
    lite: false,
    streams: 1,
    components: 1,
    credentials: undefined,
    policy: defaultPolicy,
    pacer: new Pacer(),
    pacingMs: minimumPacingMs,
    patienceMs: checkTimeoutMs,
    maxPairs,
    consent: true,
    consentIntervalMs,
    consentExpiryMs,
    keepaliveMs,
    probeMs,
    disconnectedMs,
    renomination: true,
    addressMapping: [],
    gatherFilter: () => true,
    advertiseFilter: () => true,
    describe: (candidate) => candidate,
    ...options,
  }
}

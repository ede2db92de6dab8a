/**
 * Certificates in a simulated internet. No key is ever used: a text that only says what it is for is as good as a
 * real one, and a real one is read for its names, dates and issuer.
 */

import { X509Certificate } from 'node:crypto'
import { TurnpikeError } from '../core/errors.ts'
import type { TlsCertificate } from '../core/host.ts'
import type { EpochSeconds } from '../core/time.ts'

export interface SimulatedCertificateOptions {
  /** DNS names and IP addresses. The first one is the subject. */
  readonly names: readonly string[]
  readonly validFrom?: number
  /** Seconds since 1970. */
  readonly validTo?: number
  /** An authority made by this function; unless given, the one that every simulated host trusts. */
  readonly issuer?: TlsCertificate
  readonly selfSigned?: boolean
}

/** What a client looks at. */
export interface CertificateFacts {
  readonly subject: string
  readonly validFrom: number
  readonly validTo: EpochSeconds
  readonly isSelfSigned: boolean
  isFor(name: string): boolean
  isIssuedBy(authority: string): boolean
}

interface Simulated {
  readonly names: readonly string[]
  readonly validFrom: number
  readonly validTo: number
  readonly issuer: string
}

const label = 'SIMULATED CERTIFICATE'
const farFuture = 4_102_444_800

/** A certificate for `TlsServerOptions.certificates` of hosts in a simulated internet, and nowhere else. */
export function simulatedCertificate(options: SimulatedCertificateOptions): TlsCertificate {
  const [subject] = options.names
  if (subject === undefined) {
    throw new TurnpikeError('configuration-invalid', 'a certificate needs at least one name')
  }
  const issuer = options.selfSigned
    ? subject
    : (readSimulated(options.issuer?.certificate)?.names[0] ?? rootName)
  const facts: Simulated = {
    names: options.names,
    validFrom: options.validFrom ?? 0,
    validTo: options.validTo ?? farFuture,
    issuer,
  }
  const body = Buffer.from(JSON.stringify(facts)).toString('base64')
  return {
    certificate: `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`,
    key: 'a simulated certificate has no key',
  }
}

const rootName = 'Simulated Internet Root'

/** What simulated hosts trust. */
export const rootAuthority: TlsCertificate = simulatedCertificate({ names: [rootName], selfSigned: true })

/** Reads a text with one certificate or a chain. Throws `configuration-invalid`. */
export function readCertificate(text: string): CertificateFacts {
  const simulated = readSimulated(text)
  if (simulated !== undefined) return simulatedFacts(simulated)
  try {
    return realFacts(new X509Certificate(text))
  } catch (cause) {
    throw new TurnpikeError('configuration-invalid', `not a certificate: ${text.slice(0, 60)}`, { cause })
  }
}

/** Why a client does not accept the certificate, as OpenSSL's and Node's code; undefined if it does. */
export function problemOf(
  text: string,
  name: string,
  authorities: readonly string[],
  now: number,
): string | undefined {
  const facts = readCertificate(text)
  if (!authorities.some((authority) => authority === text || facts.isIssuedBy(authority))) {
    return facts.isSelfSigned ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  }
  if (facts.validFrom > now) return 'CERT_NOT_YET_VALID'
  if (facts.validTo < now) return 'CERT_HAS_EXPIRED'
  return facts.isFor(name) ? undefined : 'ERR_TLS_CERT_ALTNAME_INVALID'
}

function readSimulated(text: string | undefined): Simulated | undefined {
  const match = text === undefined ? null : /BEGIN SIMULATED CERTIFICATE-----\s*([\w+/=]+)/.exec(text)
  return match === null ? undefined : JSON.parse(Buffer.from(match[1]!, 'base64').toString())
}

function simulatedFacts({ names, validFrom, validTo, issuer }: Simulated): CertificateFacts {
  return {
    subject: names[0]!,
    validFrom,
    validTo: validTo as EpochSeconds,
    isSelfSigned: issuer === names[0],
    isFor: (name) => names.some((pattern) => isMatch(pattern, name)),
    isIssuedBy: (authority) => readSimulated(authority)?.names[0] === issuer,
  }
}

function realFacts(certificate: X509Certificate): CertificateFacts {
  return {
    subject: /CN=([^\n]*)/.exec(certificate.subject)?.[1] ?? '',
    validFrom: Math.floor(Date.parse(certificate.validFrom) / 1000),
    validTo: Math.floor(Date.parse(certificate.validTo) / 1000) as EpochSeconds,
    isSelfSigned: certificate.checkIssued(certificate),
    isFor: (name) => (certificate.checkHost(name) ?? certificate.checkIP(name)) !== undefined,
    isIssuedBy: (authority) => {
      if (readSimulated(authority) !== undefined) return false
      const issuer = new X509Certificate(authority)
      return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
    },
  }
}

function isMatch(pattern: string, name: string): boolean {
  const [wanted, offered] = [name.toLowerCase(), pattern.toLowerCase()]
  if (!offered.startsWith('*.')) return wanted === offered
  return wanted.slice(wanted.indexOf('.')) === offered.slice(1)
}

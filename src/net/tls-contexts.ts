/**
 * The certificates of a TLS listener: one context for each, chosen by the name that a client asks for (SNI).
 * RFC 8489 §6.2.3: TLS 1.2 and later, forward secrecy first, DHE with RSA and AES-128-GCM among the suites.
 */

import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { TurnpikeError } from '../core/errors.ts'
import type { TlsCertificate } from '../core/host.ts'

interface NamedContext {
  readonly certificate: X509Certificate
  readonly context: SecureContext
}

export class TlsContexts {
  #contexts: readonly NamedContext[]

  /** Throws `configuration-invalid` when one of them is no certificate with its key. */
  constructor(certificates: readonly TlsCertificate[]) {
    this.#contexts = certificates.map(namedContext)
  }

  /** From now on these. Throws as the constructor does, and keeps the old ones then. */
  replace(certificates: readonly TlsCertificate[]): void {
    this.#contexts = certificates.map(namedContext)
  }

  /** The context of the first certificate that is valid for the name; undefined when none is. */
  find(serverName: string): SecureContext | undefined {
    return this.#contexts.find(({ certificate }) => isValidFor(certificate, serverName))?.context
  }
}

/** What Node makes a context of. */
export function contextOptions({ certificate, key }: TlsCertificate): SecureContextOptions {
  return {
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    dhparam: 'auto',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
  }
}

function namedContext(pair: TlsCertificate): NamedContext {
  try {
    return {
      certificate: new X509Certificate(pair.certificate),
      context: createSecureContext(contextOptions(pair)),
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new TurnpikeError('configuration-invalid', `not a certificate with its key: ${why}`, { cause })
  }
}

/** `serverName` is what a stranger has sent: it need not be a name at all. */
function isValidFor(certificate: X509Certificate, serverName: string): boolean {
  try {
    return certificate.checkHost(serverName) !== undefined
  } catch {
    return false
  }
}

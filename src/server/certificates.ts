/**
 * Certificates from files, read again when the files change: a renewal needs no restart. Files are compared by their
 * contents, for renewals come as new files, new links and new mounts, and a watch on the old ones would miss them.
 */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TurnpikeError } from '../core/errors.ts'
import type { Clock, TlsCertificate } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { Log } from './log.ts'

export interface CertificateFiles {
  /** PEM: the certificate and those between it and its authority. */
  readonly certificateFile: string
  /** PEM, without a passphrase. May be the same file. */
  readonly keyFile: string
}

const pollMs = 5000

/** The contents of the files. Throws `configuration-invalid` that names a file which cannot be read. */
export function readCertificates(files: readonly CertificateFiles[]): TlsCertificate[] {
  return files.map(({ certificateFile, keyFile }) => ({
    certificate: readPem('--tls-cert', certificateFile),
    key: readPem('--tls-key', keyFile),
  }))
}

/** Keeps listeners at what the files say. */
export class CertificateWatch {
  readonly #files: readonly CertificateFiles[]
  readonly #apply: (certificates: readonly TlsCertificate[]) => void
  readonly #clock: Clock
  readonly #log: Log
  #cancelTimer: () => void = () => {}
  /** The texts that were last tried, or why they could not be read. */
  #tried: string

  /** `current` is in use already; `apply` throws for a pair that is none, and changes nothing then. */
  constructor(
    files: readonly CertificateFiles[],
    current: readonly TlsCertificate[],
    apply: (certificates: readonly TlsCertificate[]) => void,
    clock: Clock,
    log: Log,
  ) {
    this.#files = files
    this.#tried = JSON.stringify(current)
    this.#apply = apply
    this.#clock = clock
    this.#log = log
    if (files.length > 0) this.#arm()
  }

  /** Reads the files now. What is new is used; what is new and wrong is logged, once, and the old goes on. */
  check(): void {
    try {
      const certificates = this.#read()
      if (certificates === undefined) return
      this.#apply(certificates)
      for (const { certificate } of certificates)
        this.#log.info('certificate reloaded', describe(certificate))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#log.warn('certificate not reloaded, the old one stays in use', { reason })
    }
  }

  close(): void {
    this.#cancelTimer()
  }

  /** What is in the files; undefined when that, or why it cannot be read, is what it was before. */
  #read(): TlsCertificate[] | undefined {
    const before = this.#tried
    try {
      const certificates = readCertificates(this.#files)
      this.#tried = JSON.stringify(certificates)
      return this.#tried === before ? undefined : certificates
    } catch (error) {
      this.#tried = String(error)
      if (this.#tried === before) return undefined
      throw error
    }
  }

  #arm(): void {
    this.#cancelTimer = this.#clock.schedule(later(this.#clock.now(), pollMs), () => {
      this.check()
      this.#arm()
    })
  }
}

/** For the log: whom it is for, and until when. Empty for what Node cannot read, as of a simulated internet. */
export function describe(certificate: string): { names?: string; validTo?: string } {
  try {
    const { subjectAltName, subject, validToDate } = new X509Certificate(certificate)
    return { names: subjectAltName ?? subject, validTo: validToDate.toISOString() }
  } catch {
    return {}
  }
}

function readPem(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    const text = `${flag} ${JSON.stringify(file)} cannot be read (${code})`
    throw new TurnpikeError('configuration-invalid', text, { cause })
  }
}

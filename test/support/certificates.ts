/** Certificates for tests, made by the openssl program: each is its own authority. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly certificate: string
  readonly key: string
  readonly certificateFile: string
  readonly keyFile: string
}

export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'turnpike-certificates-'))

  /** A self-signed certificate for these names, and for 127.0.0.1. */
  make(...names: readonly string[]): TestCertificate {
    const file = join(this.path, names[0]!.replace('*', 'any'))
    const certificateFile = `${file}.crt`
    const keyFile = `${file}.key`
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '30',
        ],
        ...['-keyout', keyFile, '-out', certificateFile, '-subj', `/CN=${names[0]}`],
        ...['-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')},IP:127.0.0.1`],
      ],
      { stdio: 'ignore' },
    )
    return {
      certificate: readFileSync(certificateFile, 'utf8'),
      key: readFileSync(keyFile, 'utf8'),
      certificateFile,
      keyFile,
    }
  }

  /** As `make`, good until yesterday. */
  makeExpired(name: string): TestCertificate {
    const good = this.make(name)
    const certificateFile = join(this.path, `${name}.expired.crt`)
    const args = ['x509', '-in', good.certificateFile, '-signkey', good.keyFile, '-days', '-1']
    execFileSync('openssl', [...args, '-out', certificateFile], { stdio: 'ignore' })
    return { ...good, certificate: readFileSync(certificateFile, 'utf8'), certificateFile }
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}

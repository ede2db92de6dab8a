/** What a deployment asks of its machine besides sockets: buffers, open files, certificates that are good for a while. */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Host } from '../core/host.ts'
import { readCertificates } from './certificates.ts'
import { relayAddresses, type ServeConfig } from './config.ts'
import { type DeploymentFinding, finding, messageOf } from './deployment-finding.ts'
import { openFilesAllowed, openFilesNeeded } from './open-files.ts'

/** What Node knows of its machine, so that tests can have another one. */
export interface DeploymentMachine {
  readonly host: Host
  /** /proc/self/limits; empty where there is none. */
  readonly limits: string
  /** net.core.rmem_max; undefined where there is none. */
  readonly mostReceiveBufferBytes: number | undefined
}

/** What the drivers ask for. */
const wantedReceiveBufferBytes = 4 * 1024 * 1024
/** Below that, bursts of a busy server get lost. */
const leastReceiveBufferBytes = 1024 * 1024
const renewDays = 14
const daySeconds = 86_400

export function receiveBufferFinding({ mostReceiveBufferBytes: most }: DeploymentMachine): DeploymentFinding {
  const where = 'net.core.rmem_max'
  if (most === undefined) {
    return finding('receive-buffer', where, null, 'cannot be read on this system', null)
  }
  if (most >= leastReceiveBufferBytes) {
    return finding('receive-buffer', where, true, `allows buffers of ${most} bytes`, null)
  }
  const cure = `sysctl -w net.core.rmem_max=${wantedReceiveBufferBytes}, and the same line in /etc/sysctl.d/, so that bursts are not dropped.`
  return finding('receive-buffer', where, null, `allows buffers of ${most} bytes and no more`, cure)
}

export function certificateFindings(config: ServeConfig, host: Host): DeploymentFinding[] {
  return config.tlsCertificates.map((files) => {
    const where = files.certificateFile
    try {
      const [pair] = readCertificates([files])
      const certificate = new X509Certificate(pair!.certificate)
      if (!certificate.checkPrivateKey(createPrivateKey(pair!.key))) {
        return finding(
          'certificate',
          where,
          false,
          'does not go with its key',
          'Give the two files of one renewal.',
        )
      }
      return expiryFinding(where, certificate, host.clock.epochSeconds())
    } catch (error) {
      return finding('certificate', where, false, messageOf(error), 'Give PEM files that this user may read.')
    }
  })
}

function expiryFinding(where: string, certificate: X509Certificate, now: number): DeploymentFinding {
  const days = Math.floor((certificate.validToDate.getTime() / 1000 - now) / daySeconds)
  const names = certificate.subjectAltName ?? certificate.subject
  const cure = 'Renew it; a running server takes new files by itself.'
  if (days < 0) return finding('certificate', where, false, `expired ${-days} days ago (${names})`, cure)
  if (certificate.validFromDate.getTime() / 1000 > now) {
    return finding(
      'certificate',
      where,
      false,
      `is not valid yet (${names})`,
      'Check the clock of this machine.',
    )
  }
  if (days < renewDays) return finding('certificate', where, null, `has ${days} days left (${names})`, cure)
  return finding('certificate', where, true, `has ${days} days left (${names})`, null)
}

export function openFilesFinding(
  config: ServeConfig,
  { host, limits }: DeploymentMachine,
): DeploymentFinding {
  const allowed = openFilesAllowed(limits)
  const needed = openFilesNeeded(config, relayCount(config, host))
  if (limits === '') {
    return finding('open-files', 'RLIMIT_NOFILE', null, 'cannot be read on this system', null)
  }
  if (allowed === undefined || allowed >= needed) {
    return finding(
      'open-files',
      'RLIMIT_NOFILE',
      true,
      `${allowed ?? 'no limit'}, and at most ${needed} are needed`,
      null,
    )
  }
  const cure = `ulimit -n ${needed}, or LimitNOFILE=${needed} in systemd; or fewer --relay-ports, or a --total-quota.`
  return finding('open-files', 'RLIMIT_NOFILE', null, `${allowed}, and up to ${needed} may be needed`, cure)
}

function relayCount(config: ServeConfig, host: Host): number {
  try {
    return relayAddresses(config, host.interfaces()).length
  } catch {
    return 1
  }
}

/**
 * A deployment looked at before clients do: what `serve` with this configuration needs of its machine, each thing with what
 * helps. A listening address in use is no fault if our own server answers there: then that one is asked.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Host, InterfaceAddress } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { exchangeStun } from '../net/stun-exchange.ts'
import type { Attribute } from '../stun/attributes.ts'
import { alternatesOf } from './alternate-config.ts'
import { type SelfTestResult, testAlternates } from './alternate-self-test.ts'
import { readCertificates } from './certificates.ts'
import { checkConfig, type ListenAddress, relayAddresses, type ServeConfig } from './config.ts'
import { probeUdp } from './listeners.ts'
import { openFilesAllowed, openFilesNeeded } from './open-files.ts'
import { probeRelayAddress } from './relay-probe.ts'
import { isLoopback, isWildcard } from './wildcard.ts'

export type DeploymentCheck =
  | 'configuration'
  | 'listen'
  | 'receive-buffer'
  | 'relay'
  | 'certificate'
  | 'open-files'
  | 'alternates'

export interface DeploymentFinding {
  readonly check: DeploymentCheck
  readonly where: string
  /** null: it may become a fault, or could not be found out. */
  readonly isOk: boolean | null
  readonly what: string
  /** What helps; null where nothing has to. */
  readonly cure: string | null
}

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
const answerMs = 3000
const daySeconds = 86_400

export async function testDeployment(
  config: ServeConfig,
  machine: DeploymentMachine,
): Promise<DeploymentFinding[]> {
  const wrong = configurationFault(config)
  if (wrong !== undefined) return [wrong]
  const listening = await Promise.all(config.listen.map((listen) => listenFinding(listen, machine.host)))
  const findings = [
    ...listening,
    receiveBufferFinding(machine),
    ...(await relayFindings(config, machine.host)),
    ...certificateFindings(config, machine.host),
    openFilesFinding(config, machine),
  ]
  return [...findings, ...(await alternateFindings(config, machine.host, listening.some(isServed)))]
}

function configurationFault(config: ServeConfig): DeploymentFinding | undefined {
  try {
    checkConfig(config)
    alternatesOf(config, config.listen)
    return undefined
  } catch (error) {
    return finding('configuration', 'flags', false, messageOf(error), 'Start with flags that go together.')
  }
}

const served = 'a server of ours answers there'

function isServed({ what }: DeploymentFinding): boolean {
  return what === served
}

const listenCures: Readonly<Record<string, string>> = {
  EACCES:
    'Ports below 1024 take a right: setcap cap_net_bind_service=+ep on node, or AmbientCapabilities in systemd.',
  EADDRNOTAVAIL: 'This machine does not have that address: list those that it has with "ip addr".',
  EADDRINUSE: 'Another program has the port and does not answer as a STUN server: "ss -lnptu" names it.',
}

/** Whether it can be opened; if somebody has it, whether that is a STUN server. */
async function listenFinding(
  { transport, address, isOptional }: ListenAddress,
  host: Host,
): Promise<DeploymentFinding> {
  const where = `${transport}://${address}`
  const reason = await (transport === 'udp' ? probeUdp(address, host) : tryTcp(address, host))
  if (reason === undefined) return finding('listen', where, true, 'is free, and can be opened', null)
  if (reason === 'EADDRINUSE' && (await answers(transport, reachable(address), host))) {
    return finding('listen', where, true, served, null)
  }
  if (isOptional)
    return finding('listen', where, true, `is left out (${reason}): it is not asked for by name`, null)
  const cure = listenCures[reason] ?? 'Choose another --listen address.'
  return finding('listen', where, false, `cannot be opened (${reason})`, cure)
}

/** Where a wildcard is asked. */
function reachable(address: TransportAddress): TransportAddress {
  if (!isWildcard(address)) return address
  return TransportAddress.of(address.family === 'IPv4' ? '127.0.0.1' : '::1', address.port)
}

/** The system's reason, or undefined. */
function tryTcp(address: TransportAddress, host: Host): Promise<string | undefined> {
  return new Promise((resolve) => {
    const listener = host.listenTcp(
      { address },
      {
        bound: () => {
          listener.close()
          resolve(undefined)
        },
        failed: resolve,
        admit: () => false,
        connection: () => {
          throw new Error('nobody is admitted')
        },
        handshakeFailed: () => {},
        acceptFailed: () => {},
      },
    )
  })
}

function answers(
  transport: ListenAddress['transport'],
  server: TransportAddress,
  host: Host,
): Promise<boolean> {
  return ask(host, transport, server, []).then((answer) => answer !== undefined)
}

interface Answer {
  readonly other: TransportAddress | undefined
  readonly source: TransportAddress
}

function ask(
  host: Host,
  transport: ListenAddress['transport'],
  server: TransportAddress,
  attributes: readonly Attribute[],
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    exchangeStun(
      host,
      {
        transport,
        server,
        attributes,
        anySource: true,
        deadlineMs: answerMs,
        tls: { allowInvalid: true },
      },
      (result) => {
        if (result.type !== 'answered' || result.response.class !== 'success') resolve(undefined)
        else resolve({ other: result.response.get('OTHER-ADDRESS'), source: result.source })
      },
    )
  })
}

function receiveBufferFinding({ mostReceiveBufferBytes: most }: DeploymentMachine): DeploymentFinding {
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

async function relayFindings(config: ServeConfig, host: Host): Promise<DeploymentFinding[]> {
  const interfaces = host.interfaces()
  try {
    const relays = relayAddresses(config, interfaces)
    return await Promise.all(
      relays.map(async ({ address, external }) => {
        const tried = await probeRelayAddress(address, host).then(() => undefined, messageOf)
        if (tried !== undefined) {
          return finding(
            'relay',
            address.ip,
            false,
            tried,
            'Name an address of this machine with --relay-address.',
          )
        }
        return relayReach(address, external, interfaces)
      }),
    )
  } catch (error) {
    return [finding('relay', 'none', false, messageOf(error), 'See --relay-address and --external-address.')]
  }
}

function relayReach(
  address: TransportAddress,
  external: TransportAddress,
  interfaces: readonly InterfaceAddress[],
): DeploymentFinding {
  if (!external.equals(address)) {
    return finding('relay', address.ip, true, `is told to clients as ${external.ip}`, null)
  }
  if (isLoopback(address)) {
    const hasOther = interfaces.some(({ internal }) => !internal)
    const cure = hasOther ? 'For clients elsewhere name another --listen or --relay-address.' : null
    return finding('relay', address.ip, null, 'is loopback: only this machine reaches it', cure)
  }
  if (!isPrivate(address)) return finding('relay', address.ip, true, 'is public', null)
  const cure = `Behind a 1:1 NAT, as in a cloud, tell clients the public one: --external-address PUBLIC/${address.ip}`
  return finding('relay', address.ip, null, 'is private: clients elsewhere do not reach it', cure)
}

function isPrivate({ ip }: TransportAddress): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab])/i.test(
    ip,
  )
}

function certificateFindings(config: ServeConfig, host: Host): DeploymentFinding[] {
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

function openFilesFinding(config: ServeConfig, { host, limits }: DeploymentMachine): DeploymentFinding {
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

/** Where a server of ours runs, by asking it; else with sockets of our own. */
async function alternateFindings(
  config: ServeConfig,
  host: Host,
  isRunning: boolean,
): Promise<DeploymentFinding[]> {
  const groups = alternatesOf(config, config.listen).filter(({ transport }) => transport === 'udp')
  return Promise.all(
    groups.map(async ({ bound, advertised }) => {
      const where = bound.join(', ')
      if (isRunning) return askAlternates(where, bound, advertised, host)
      const result = await new Promise<SelfTestResult>((resolve) => testAlternates(bound, host, resolve))
      return judgeAlternates(where, result)
    }),
  )
}

function judgeAlternates(where: string, result: SelfTestResult): DeploymentFinding {
  switch (result.type) {
    case 'passed':
      return finding('alternates', where, true, 'each reaches each', null)
    case 'refused': {
      const cure = listenCures[result.reason] ?? 'Choose another --alternate-address or --alternate-port.'
      return finding(
        'alternates',
        where,
        false,
        `${result.address} cannot be opened (${result.reason})`,
        cure,
      )
    }
    case 'lost': {
      const cure = `Let UDP through the firewall of this machine from ${result.from.ip} to port ${result.to.port}, and from outside to both ports.`
      return finding(
        'alternates',
        where,
        false,
        `what ${result.from} sends does not arrive at ${result.to}`,
        cure,
      )
    }
  }
}

async function askAlternates(
  where: string,
  bound: readonly TransportAddress[],
  advertised: readonly TransportAddress[],
  host: Host,
): Promise<DeploymentFinding> {
  const [first, , , last] = bound
  const plain = await ask(host, 'udp', first!, [])
  const cure = 'Restart the server with these flags, and look at what it logs at its start.'
  if (plain?.other === undefined) {
    return finding('alternates', where, false, 'the running server names no alternate address', cure)
  }
  if (!plain.other.equals(advertised[3]!)) {
    return finding(
      'alternates',
      where,
      false,
      `the running server names ${plain.other} instead of ${advertised[3]}`,
      cure,
    )
  }
  const changed = await ask(host, 'udp', first!, [['CHANGE-REQUEST', { changeIp: true, changePort: true }]])
  if (changed === undefined || !changed.source.equals(last!)) {
    const open = `Let UDP out from ${last} through the firewall of this machine.`
    return finding('alternates', where, false, `the running server does not answer from ${last}`, open)
  }
  return finding('alternates', where, true, 'the running server answers from each', null)
}

function finding(
  check: DeploymentCheck,
  where: string,
  isOk: boolean | null,
  what: string,
  cure: string | null,
): DeploymentFinding {
  return { check, where, isOk, what, cure }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

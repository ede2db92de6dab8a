/** turnpike and coturn as child processes that serve TCP and TLS, pinned to one core. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { type PinnedServer, password, pinned, user, waitFor } from '../support/servers.ts'

export interface StreamServer extends PinnedServer {
  readonly tcp: TransportAddress
  readonly tls: TransportAddress
}

interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** An ECDSA certificate in the folder. */
export function makeCertificate(folder: string): Certificate {
  const [certificate, key] = [join(folder, 'crt'), join(folder, 'key')]
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
      ...['-keyout', key, '-out', certificate, '-subj', '/CN=bench.example'],
    ],
    { stdio: 'ignore' },
  )
  return { certificate, key }
}

export async function startTurnpike(
  core: number,
  { certificate, key }: Certificate,
  flags: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<StreamServer> {
  const [tcp, tls] = [await freePort(), await freePort()]
  const child = spawn(
    'taskset',
    [
      ...['-c', `${core}`, process.execPath, '--disable-warning=ExperimentalWarning', ...nodeFlags],
      ...[
        'bin/turnpike.ts',
        'serve',
        '--listen',
        `tcp://127.0.0.1:${tcp}`,
        '--listen',
        `tls://127.0.0.1:${tls}`,
      ],
      ...['--tls-cert', certificate, '--tls-key', key, '--user', `${user}:${password}`],
      ...['--allow-peer', '127.0.0.0/8', '--log-level', 'error', '--relay-ports', '20000-60000', ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await waitFor(child, /"event":"listening"/)
  return { ...pinned('turnpike', child, tcp, () => {}), ...addresses(tcp, tls) }
}

export async function startCoturn(
  core: number,
  folder: string,
  { certificate, key }: Certificate,
): Promise<StreamServer> {
  const [tcp, tls] = [await freePort(), await freePort()]
  const child = spawn(
    'taskset',
    [
      ...['-c', `${core}`, 'turnserver', '-n', '-L', '127.0.0.1', '-E', '127.0.0.1', '-p', `${tcp}`],
      ...['--tls-listening-port', `${tls}`, '--cert', certificate, '--pkey', key],
      ...['--lt-cred-mech', '-u', `${user}:${password}`, '-r', 'bench.example', '--allow-loopback-peers'],
      ...['--min-port', '20000', '--max-port', '60000', '--no-dtls', '--no-cli', '-m', '1'],
      ...['--log-file', '/dev/null', '--simple-log', '--pidfile', join(folder, 'pid')],
      ...['--userdb', join(folder, 'db')],
    ],
    { stdio: 'ignore' },
  )
  await new Promise((resolve) => setTimeout(resolve, 1500))
  return { ...pinned('coturn', child, tcp, () => {}), ...addresses(tcp, tls) }
}

function addresses(tcp: number, tls: number) {
  return { tcp: TransportAddress.of('127.0.0.1', tcp), tls: TransportAddress.of('127.0.0.1', tls) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

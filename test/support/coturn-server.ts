/** coturn's turnserver on loopback, to try our client against a server that we did not write. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { CertificateFolder, type TestCertificate } from './certificates.ts'
import { type Child, hasLoopback6, start } from './programs.ts'

export interface Coturn {
  readonly child: Child
  readonly port: number
  readonly tlsPort: number
  readonly certificate: TestCertificate
  stop(): Promise<void>
}

/** Listens on 127.0.0.1, and ::1 where there is one, knows alice:wonder of example.org, and lets loopback be peers. */
export async function startCoturn(flags: readonly string[] = []): Promise<Coturn> {
  const addresses = ['127.0.0.1', ...(hasLoopback6("coturn's server") ? ['::1'] : [])]
  const folder = new CertificateFolder()
  const certificate = folder.make('turn.example.org')
  // A port that is free now may not be when coturn binds it: then it says so and ends, and another is tried.
  for (let attempt = 1; ; attempt++) {
    const [port, tlsPort] = [await freePort(), await freePort()]
    const child = start(
      'turnserver',
      [
        ...['-n', '--no-cli', '--log-file', 'stdout', '--simple-log', '--verbose', '--no-dtls'],
        ...['--pidfile', join(folder.path, 'turnserver.pid'), '-b', join(folder.path, 'turndb')],
        ...addresses.flatMap((address) => ['-L', address, '-E', address]),
        '--allow-loopback-peers',
        ...['-p', `${port}`, '--tls-listening-port', `${tlsPort}`],
        ...['--cert', certificate.certificateFile, '--pkey', certificate.keyFile],
        ...[
          '-r',
          'example.org',
          ...(flags.includes('--use-auth-secret') ? [] : ['-a', '-u', 'alice:wonder']),
        ],
        ...flags,
      ],
      { timeoutSeconds: 300 },
    )
    try {
      await child.waitFor(/IO method \(admin thread\)/)
      return {
        child,
        port,
        tlsPort,
        certificate,
        stop: async () => {
          await child.stop()
          folder.remove()
        },
      }
    } catch (error) {
      await child.stop('SIGKILL')
      if (attempt === 5) throw error
    }
  }
}

/** A port that was free for UDP and TCP a moment ago, as was the one above it, which coturn takes too. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const isFree = (await isUdpFree(port)) && (await isUdpFree(port + 1)) && (await isTcpFree(port + 1))
    server.close()
    if (isFree) return port
  }
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => resolve(false))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}

function isTcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

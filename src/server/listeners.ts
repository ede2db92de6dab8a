/** Opening the listeners of a configuration, each by its transport, or saying why that cannot be. */

import { TurnpikeError } from '../core/errors.ts'
import type { Host, TlsCertificate } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import type { ListenAddress } from './config.ts'
import type { Log } from './log.ts'
import type { Shard } from './shard.ts'

export interface OpenListener {
  readonly transport: ClientTransport
  readonly address: TransportAddress
}

/** Rejects with `listen-failed`, or with `configuration-invalid` for a certificate. */
export async function openListeners(
  listen: readonly ListenAddress[],
  certificates: readonly TlsCertificate[],
  shard: Shard,
  log: Log,
): Promise<OpenListener[]> {
  const opened: OpenListener[] = []
  for (const { transport, address, isOptional } of listen) {
    try {
      const { local, receiveBufferBytes } = await (transport === 'udp'
        ? shard.listen(address)
        : shard.listenStream({ transport, address, certificates }))
      opened.push({ transport, address: local })
      log.debug('listening', { transport, address: `${local}`, receiveBufferBytes })
    } catch (reason) {
      if (reason instanceof TurnpikeError) throw reason
      const code = String(reason)
      const isMissing = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
      if (!isOptional || !isMissing) throw listenFailed(transport, address, code)
      log.warn('not listening', { transport, address: `${address}`, reason: code })
    }
  }
  return opened
}

/**
 * Whether the UDP addresses are free. Sockets that share a port among threads would share it with another server too.
 * Rejects with `listen-failed`. An address that is not there is found out by who opens it.
 */
export async function probeListeners(listen: readonly ListenAddress[], host: Host): Promise<void> {
  for (const { transport, address } of listen) {
    if (transport !== 'udp' || address.port === 0) continue
    const reason = await new Promise<string | undefined>((resolve) => {
      const socket = host.bindUdp(
        { address },
        {
          bound: () => {
            socket.close()
            resolve(undefined)
          },
          failed: resolve,
          datagram: () => {},
          sendFailed: () => {},
        },
      )
    })
    if (reason === 'EADDRINUSE' || reason === 'EACCES') throw listenFailed(transport, address, reason)
  }
}

export function listenFailed(
  transport: ClientTransport,
  address: TransportAddress,
  code: string,
): TurnpikeError {
  const cures: Record<string, string> = {
    EADDRINUSE: 'another program has that port: stop it, or listen elsewhere',
    EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE or root',
    EADDRNOTAVAIL: 'no interface of this host has that address',
    EAFNOSUPPORT: 'this host has no such address family',
  }
  return new TurnpikeError(
    'listen-failed',
    `cannot listen on ${transport}://${address} (${code}): ${cures[code] ?? 'the system refused'}; --listen ${transport}://ADDRESS:PORT chooses another`,
  )
}

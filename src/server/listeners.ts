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
      if (!isOptional || !isMissing(code)) throw listenFailed(transport, address, code)
      log.warn('not listening', { transport, address: `${address}`, reason: code })
    }
  }
  return opened
}

/**
 * Whether the addresses are ours, and those of UDP free: sockets that share a port among threads would share it with
 * another server too. Rejects as `openListeners` does, before anything is opened and in the words of the right flag.
 */
export async function probeListeners(listen: readonly ListenAddress[], host: Host): Promise<void> {
  for (const { transport, address, isOptional } of listen) {
    const reason = await tryUdp(transport === 'udp' ? address : address.withPort(0), host)
    if (reason === undefined || (isOptional && isMissing(reason))) continue
    throw listenFailed(transport, address, reason)
  }
}

/** The system's reason against listening there; undefined when there is none, and nothing is left open. */
export function tryListener(
  transport: ClientTransport,
  address: TransportAddress,
  host: Host,
): Promise<string | undefined> {
  return transport === 'udp' ? tryUdp(address, host) : tryTcp(address, host)
}

function tryUdp(address: TransportAddress, host: Host): Promise<string | undefined> {
  return new Promise((resolve) => {
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
}

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

/** Whether this machine has no such address: a default may be left out then. */
export function isMissing(code: string): boolean {
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
}

/** An address that this host does not have is a wrong flag; what another program or the system refuses is not. */
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
    isMissing(code) ? 'configuration-invalid' : 'listen-failed',
    `cannot listen on ${transport}://${address} (${code}): ${cures[code] ?? 'the system refused'}; --listen ${transport}://ADDRESS:PORT chooses another`,
  )
}

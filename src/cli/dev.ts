/** `turnpike serve --dev`: a server on loopback that somebody has started to see what this is. */

import type { Random } from '../core/random.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { defaultConfig, type ServeConfig } from '../server/config.ts'
import type { RunningServer } from '../server/server.ts'
import { isLoopback, isWildcard } from '../server/wildcard.ts'
import type { StaticUser } from '../turn/credentials.ts'
import { parseAddressRange } from '../turn/peer-policy.ts'

export interface DevUser {
  readonly name: string
  readonly password: string
}

/** The first user that was given with a password, or a new one. */
export function newDevUser(given: readonly StaticUser[] | undefined, random: Random): DevUser {
  for (const user of given ?? []) if ('password' in user) return user
  return { name: 'dev', password: Buffer.from(random.bytes(9)).toString('base64url') }
}

/** What was given, on loopback unless told otherwise, with peers on loopback allowed. */
export function devConfig(given: ServeConfig, user: DevUser, random: Random): ServeConfig {
  const address = TransportAddress.of('127.0.0.1', 3478)
  const loopback = (['udp', 'tcp'] as const).map((transport) => ({ transport, address, isOptional: false }))
  return {
    ...given,
    listen: given.listen === defaultConfig.listen ? loopback : given.listen,
    users: given.users.length > 0 ? given.users : [user],
    secrets: given.secrets.length > 0 ? given.secrets : [random.bytes(24)],
    noAuth: false,
    allowPeers: [...given.allowPeers, parseAddressRange('127.0.0.0/8'), parseAddressRange('::1')],
    allowLegacyChannels: true,
  }
}

/** What a newcomer reads: the address, the JSON to paste, and what to try next. At most 80 columns. */
export function devScreen(
  { listeners, relays }: Pick<RunningServer, 'listeners' | 'relays'>,
  { name, password }: DevUser,
  page: TransportAddress | undefined,
): string {
  const { transport, address } = listeners[0]!
  const isPrivate = listeners.every((listener) => isLoopback(listener.address))
  const { ip } = isWildcard(address)
    ? (relays.find(({ external }) => external.family === address.family)?.external ?? address)
    : address
  const { port } = address
  const host = address.family === 'IPv6' ? `[${ip}]` : ip
  const login = `-u ${name} -w ${password}`
  return `
  turnpike is listening on ${transport}://${address}, ${isPrivate ? 'for this machine only.' : openToOthers}
${page === undefined ? '' : `\n  A page to try it with: http://${page}/\n`}
  For RTCPeerConnection:

    { "iceServers": [{
        "urls": ["stun:${host}:${port}", "turn:${host}:${port}"],
        "username": "${name}",
        "credential": "${password}"
    }] }

  To try next, in another terminal (Debian: apt install coturn):

    turnutils_stunclient -p ${port} ${ip}
        how this server sees you
    turnutils_uclient -y -c -p ${port} ${login} ${ip}
        relays ten packets between two clients, and counts the lost
    npm start -- --help
        every flag; npm start without --dev is "turnpike serve"

  Ctrl-C stops it.

`
}

const openToOthers = `for other machines too.
  Whoever has the password below reaches what listens on 127.0.0.1 here, for
  --dev allows such peers. Without --listen it serves this machine only.`

/** Where the page is served unless told otherwise. */
export const devSignaling = { isSecure: false, address: TransportAddress.of('127.0.0.1', 3480) } as const

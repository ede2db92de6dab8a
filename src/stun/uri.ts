/** The URIs of STUN and TURN servers (RFC 7064 §3.1, RFC 7065 §3.1): `stun:host`, `turns:host:443?transport=tcp`. */

import { TurnpikeError } from '../core/errors.ts'
import { formatIp, readIp } from '../core/ip.ts'

export type ServerScheme = 'stun' | 'stuns' | 'turn' | 'turns'

export interface ServerUri {
  readonly scheme: ServerScheme
  /** A domain name in lower case, or an IP address in canonical form without brackets. */
  readonly host: string
  readonly isAddress: boolean
  /** undefined: by DNS, or the default of the scheme. */
  readonly port: number | undefined
  /** undefined: whichever works. STUN URIs cannot say. */
  readonly transport: 'udp' | 'tcp' | undefined
}

/** RFC 7064 §3.2, RFC 7065 §3.2. */
export const defaultPorts: Readonly<Record<ServerScheme, number>> = {
  stun: 3478,
  stuns: 5349,
  turn: 3478,
  turns: 5349,
}

export function isSecure({ scheme }: ServerUri): boolean {
  return scheme === 'stuns' || scheme === 'turns'
}

/** Throws `uri-invalid`, with a message that says what is wrong and how it is written. */
export function parseServerUri(text: string): ServerUri {
  const [, schemeText, rest] = /^([a-z]+):(.*)$/is.exec(text) ?? []
  const scheme = schemeText?.toLowerCase()
  if (rest === undefined || !isScheme(scheme)) {
    throw invalid(text, 'it begins with stun:, stuns:, turn: or turns:, as in turn:example.org:3478')
  }
  if (rest.startsWith('//')) throw invalid(text, `there is no // after the ${scheme}:`)
  if (rest.includes('@')) {
    throw new TurnpikeError(
      'uri-invalid',
      `a ${scheme}: URI has no user name and no password: they are given beside it`,
    )
  }
  const [authority = '', query, ...more] = rest.split('?')
  if (more.length > 0) throw invalid(text, 'it has more than one ?')
  const [host, port] = splitPort(authority, text)
  return {
    scheme,
    ...parseHost(host, scheme, text),
    port: port === undefined ? undefined : parsePort(port, text),
    transport: query === undefined ? undefined : parseTransport(query, scheme, text),
  }
}

export function formatServerUri({ scheme, host, port, transport }: ServerUri): string {
  const authority = host.includes(':') ? `[${host}]` : host
  const query = transport === undefined ? '' : `?transport=${transport}`
  return `${scheme}:${authority}${port === undefined ? '' : `:${port}`}${query}`
}

function isScheme(scheme: string | undefined): scheme is ServerScheme {
  return scheme !== undefined && Object.hasOwn(defaultPorts, scheme)
}

function splitPort(authority: string, text: string): [string, string | undefined] {
  const bracketed = /^(\[[^\]]*\])(?::(.*))?$/s.exec(authority)
  if (bracketed !== null) return [bracketed[1]!, bracketed[2]]
  const [host = '', port, ...more] = authority.split(':')
  if (more.length > 0) throw invalid(text, 'an IPv6 address stands in brackets, as in stun:[2001:db8::1]')
  return [host, port]
}

function parseHost(host: string, scheme: ServerScheme, text: string): Pick<ServerUri, 'host' | 'isAddress'> {
  const words = { a: 0, b: 0, c: 0, d: 0 }
  const isBracketed = host.startsWith('[')
  const bare = isBracketed ? host.slice(1, -1) : host
  const isAddress = bare.includes(':') === isBracketed && !bare.includes('%') && readIp(bare, words)
  if (isBracketed && !isAddress) throw invalid(text, `${host} is no IPv6 address`)
  if (isAddress && scheme === 'stuns') {
    // RFC 8489 §8.1.
    throw invalid(text, 'stuns: needs a name, for the certificate is checked against it')
  }
  if (isAddress) return { host: formatIp(words), isAddress }
  if (bare === '') throw invalid(text, 'it names no host')
  if (bare.length > 253 || !domainName.test(bare)) {
    throw invalid(text, `${JSON.stringify(bare)} is neither an IP address nor a domain name in ASCII`)
  }
  return { host: bare.toLowerCase(), isAddress }
}

/** Labels of letters, digits, hyphens and underscores; the last one is not a number, or it would be half an address. */
const domainName =
  /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\.?$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i

function parsePort(port: string, text: string): number {
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(text, `${JSON.stringify(port)} is not a port (1-65535)`)
  }
  return Number(port)
}

function parseTransport(query: string, scheme: ServerScheme, text: string): 'udp' | 'tcp' {
  if (scheme === 'stun' || scheme === 'stuns') throw invalid(text, `a ${scheme}: URI has nothing after a ?`)
  const transport = /^transport=(.*)$/is.exec(query)?.[1]?.toLowerCase()
  if (transport === 'tls') throw invalid(text, 'TLS is said by turns:, as in turns:example.org?transport=tcp')
  if (transport !== 'udp' && transport !== 'tcp') {
    throw invalid(text, `after the ? stands transport=udp or transport=tcp, not ${JSON.stringify(query)}`)
  }
  if (transport === 'udp' && scheme === 'turns')
    throw invalid(text, 'turns: over UDP is DTLS, which is not done')
  return transport
}

function invalid(text: string, why: string): TurnpikeError {
  return new TurnpikeError('uri-invalid', `not a STUN or TURN URI: ${JSON.stringify(text)}: ${why}`)
}

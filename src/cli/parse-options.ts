/** Values of command-line flags: each is read here, and refused by name with the right form beside it. */

import { InvalidArgumentError } from 'commander'
import { TransportAddress } from '../core/transport-address.ts'
import type { ExternalAddress, ListenAddress } from '../server/config.ts'
import { isWildcard } from '../server/wildcard.ts'
import type { AlternateServer } from '../turn/alternate-server.ts'
import { type AddressRange, parseAddressRange } from '../turn/peer-policy.ts'
import type { PortRange } from '../turn/relay-address.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'

/** Makes a flag repeatable: every value is parsed and added to those before. */
export function repeatable<Value>(
  parse: (text: string) => Value,
): (text: string, previous: readonly Value[] | undefined) => readonly Value[] {
  return (text, previous) => [...(previous ?? []), parse(text)]
}

const transports: readonly ClientTransport[] = ['udp', 'tcp', 'tls']

export function parseListen(text: string): ListenAddress {
  const match = /^([a-z]+):\/\/(.+)$/.exec(text)
  const [scheme, rest] = match === null ? [undefined, text] : [match[1]!, match[2]!]
  const transport = transports.find((name) => name === scheme)
  if (transport === undefined) {
    const hint = scheme === undefined && isAddress(rest) ? `udp://${rest}` : exampleOf('udp', rest)
    throw new InvalidArgumentError(
      `${quote(text)} does not start with udp://, tcp:// or tls://; did you mean ${hint}?`,
    )
  }
  return { transport, address: withPort(transport, rest, text), isOptional: false }
}

export function parseRelayAddress(text: string): TransportAddress {
  const address = withoutPort(text)
  if (isWildcard(address))
    throw new InvalidArgumentError(`${quote(text)} is a wildcard; name one address, such as 192.0.2.1`)
  return address
}

const domainName =
  /^(?=.{1,255}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

/** `192.0.2.9:3478` for clients by UDP and TCP, `tls://192.0.2.9:5349` or `tls://192.0.2.9:5349/turn2.example.org` for TLS. */
export function parseAlternateServer(text: string): AlternateServer {
  const match = /^(?:([a-z]+):\/\/)?([^/]+)(?:\/(.+))?$/.exec(text)
  const [, scheme, where = '', domain] = match ?? []
  const transport = transports.find((name) => name === scheme)
  if (match === null || (scheme !== undefined && transport === undefined)) {
    throw new InvalidArgumentError(
      `${quote(text)}: write 192.0.2.9:3478, or tls://192.0.2.9:5349/turn2.example.org`,
    )
  }
  if (domain !== undefined && (transport !== 'tls' || !domainName.test(domain))) {
    throw new InvalidArgumentError(
      `${quote(text)}: ${quote(domain)} is to be the name in a TLS server's certificate; write tls://192.0.2.9:5349/turn2.example.org`,
    )
  }
  const address = withPort(transport ?? 'udp', where, text)
  if (isWildcard(address)) throw new InvalidArgumentError(`${quote(text)} is a wildcard; name one address`)
  if (address.port === 0) throw new InvalidArgumentError(`${quote(text)} has no port 1-65535`)
  return { address, transports: transport === undefined ? ['udp', 'tcp'] : [transport], domain }
}

/** `PUBLIC` or `PUBLIC/PRIVATE`. */
export function parseExternalAddress(text: string): ExternalAddress {
  const [outside, inside, ...rest] = text.split('/')
  if (rest.length > 0)
    throw new InvalidArgumentError(`${quote(text)} has more than one "/"; write PUBLIC/PRIVATE`)
  const external = parseRelayAddress(outside!)
  const relay = inside === undefined ? undefined : parseRelayAddress(inside)
  if (relay !== undefined && relay.family !== external.family) {
    throw new InvalidArgumentError(`${quote(text)} joins an IPv4 with an IPv6 address`)
  }
  return { external, relay }
}

export function parsePortRange(text: string): PortRange {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text)
  if (match === null) throw new InvalidArgumentError(`${quote(text)} is not a range; write 49152-65535`)
  const min = parsePort(match[1]!, text)
  const max = parsePort(match[2]!, text)
  if (min > max)
    throw new InvalidArgumentError(`${quote(text)} ends before it starts; did you mean ${max}-${min}?`)
  return { min, max }
}

export function parsePeerRange(text: string): AddressRange {
  try {
    return parseAddressRange(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

/** A whole number between the bounds, both included. */
export function integerBetween(minimum: number, maximum: number, unit: string): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= minimum && value <= maximum)) {
      throw new InvalidArgumentError(
        `${quote(text)} is not a whole number of ${unit} from ${minimum} to ${maximum}`,
      )
    }
    return value
  }
}

const rateUnits: Readonly<Record<string, number>> = {
  '': 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  kbit: 1e3 / 8,
  Mbit: 1e6 / 8,
  Gbit: 1e9 / 8,
}

/**
 * A rate in bytes a second: `125000`, `125kB`, `1Mbit`. A bare number is bytes, as in coturn's option of this name,
 * whatever "bps" means elsewhere.
 */
export function parseByteRate(text: string): number {
  const match = /^(\d{1,12})([A-Za-z]*)$/.exec(text)
  const unit = match === null ? undefined : rateUnits[match[2]!]
  if (match === null || unit === undefined) {
    throw new InvalidArgumentError(
      `${quote(text)} is not a rate: write bytes a second, such as 125000, or 125kB, 1MB, 800kbit, 4Mbit`,
    )
  }
  return Math.ceil(Number(match[1]) * unit)
}

function withPort(transport: ClientTransport, text: string, whole: string): TransportAddress {
  try {
    const address = TransportAddress.parse(text)
    // Where the system chooses the port, it is known for the one address alone.
    if (address.port > 0 || !isWildcard(address)) return address
  } catch {
    // Said below, with the whole value and the form that is right.
  }
  throw new InvalidArgumentError(
    `${quote(whole)} is not an address with a port 1-65535 (0: the system chooses, for one address); did you mean ${exampleOf(transport, text)}?`,
  )
}

function exampleOf(transport: ClientTransport, text: string): string {
  const port = transport === 'tls' ? 5349 : 3478
  if (!isIp(text)) return `${transport}://127.0.0.1:${port} or ${transport}://[::1]:${port}`
  return text.includes(':') ? `${transport}://[${text}]:${port}` : `${transport}://${text}:${port}`
}

function withoutPort(text: string): TransportAddress {
  if (isIp(text)) return TransportAddress.of(text, 0)
  const hint = isAddress(text)
    ? `did you mean ${TransportAddress.parse(text).ip}?`
    : 'write 192.0.2.1 or 2001:db8::1'
  throw new InvalidArgumentError(`${quote(text)} is not an IP address; ${hint}`)
}

function isIp(text: string): boolean {
  return succeeds(() => TransportAddress.of(text, 0))
}

function isAddress(text: string): boolean {
  return succeeds(() => TransportAddress.parse(text))
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}

function parsePort(text: string, whole: string): number {
  const port = Number(text)
  if (port < 1 || port > 65_535)
    throw new InvalidArgumentError(`${quote(whole)}: ${text} is not a port (1-65535)`)
  return port
}

function quote(text: string): string {
  return JSON.stringify(text)
}

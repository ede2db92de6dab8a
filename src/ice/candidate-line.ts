/**
 * The SDP candidate line (RFC 8839 §5.1, RFC 6544 §4.5): text to description and back. What comes from the peer is never an
 * exception: a line that is no candidate gives the reason.
 */

import { isIPv4, readIp } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import {
  type CandidateDescription,
  type CandidateProtocol,
  type CandidateType,
  isPriority,
  type NamedAddress,
  type TcpType,
} from './candidate.ts'

/** Why a line is not a candidate that we can use. */
export type CandidateFault =
  | 'not-a-candidate'
  | 'bad-foundation'
  | 'bad-component'
  | 'unknown-transport'
  | 'bad-priority'
  | 'bad-address'
  | 'bad-port'
  | 'unknown-type'
  | 'bad-tcp-type'

const types: readonly string[] = ['host', 'srflx', 'prflx', 'relay'] satisfies CandidateType[]
const tcpTypes: readonly string[] = ['active', 'passive', 'so'] satisfies TcpType[]

/** Limit: the longest line a grammar-abiding peer has reason to send is a tenth of this. */
const maxLineLength = 2048

/** With or without `a=` and `candidate:`, as browsers give it. */
export function parseCandidate(line: string): CandidateDescription | CandidateFault {
  if (line.length > maxLineLength) return 'not-a-candidate'
  const body = line
    .trim()
    .replace(/^a=/i, '')
    .replace(/^candidate:/i, '')
  const [foundation = '', component = '', transport = '', priority = '', host = '', port = '', ...rest] =
    body.split(/ +/)
  if (rest[0]?.toLowerCase() !== 'typ' || rest.length < 2) return 'not-a-candidate'
  if (!/^[A-Za-z0-9+/]{1,32}$/.test(foundation)) return 'bad-foundation'
  if (!/^\d{1,3}$/.test(component) || Number(component) < 1 || Number(component) > 256) return 'bad-component'
  const protocol = transport.toLowerCase()
  if (protocol !== 'udp' && protocol !== 'tcp') return 'unknown-transport'
  if (!/^\d{1,10}$/.test(priority) || !isPriority(Number(priority))) return 'bad-priority'
  const portNumber = parsePort(port)
  if (portNumber === undefined) return 'bad-port'
  const address = parseHost(host, portNumber)
  if (address === undefined) return 'bad-address'
  const type = rest[1]!.toLowerCase()
  if (!types.includes(type)) return 'unknown-type'
  const pairs = extensionsOf(rest.slice(2))
  const tcpType = pairs.get('tcptype')
  if (protocol === 'tcp' && (tcpType === undefined || !tcpTypes.includes(tcpType))) return 'bad-tcp-type'
  return {
    foundation,
    component: Number(component),
    protocol: protocol satisfies CandidateProtocol,
    priority: Number(priority),
    address,
    type: type as CandidateType,
    ...optional('tcpType', protocol === 'tcp' ? (tcpType as TcpType) : undefined),
    ...optional('related', relatedOf(pairs)),
    ...optional('ufrag', pairs.get('ufrag')),
    ...optional('networkCost', networkCostOf(pairs)),
  }
}

/** `candidate:…`, as `RTCIceCandidate.candidate` has it; an SDP line is that with `a=` before it. */
export function formatCandidate(candidate: CandidateDescription): string {
  const { foundation, component, protocol, priority, address, type, tcpType, related, ufrag } = candidate
  const [host, port] = hostAndPort(address)
  // RFC 6544 §4.5: the port of an active candidate is the discard port.
  const parts = [
    `candidate:${foundation}`,
    component,
    protocol,
    priority,
    host,
    tcpType === 'active' ? 9 : port,
  ]
  parts.push('typ', type)
  // RFC 8839 §5.1: host candidates have no related address, all others have one, if only an empty one.
  if (type !== 'host') {
    const isV4 = !(address instanceof TransportAddress) || isIPv4(address)
    const [relatedHost, relatedPort] =
      related === undefined ? [isV4 ? '0.0.0.0' : '::', 9] : hostAndPort(related)
    parts.push('raddr', relatedHost, 'rport', relatedPort)
  }
  if (tcpType !== undefined) parts.push('tcptype', tcpType)
  if (ufrag !== undefined) parts.push('ufrag', ufrag)
  if (candidate.networkCost !== undefined) parts.push('network-cost', candidate.networkCost)
  return parts.join(' ')
}

/** The zone of a link-local address is of no meaning to the peer, and is not part of a TransportAddress. */
function hostAndPort(address: TransportAddress | NamedAddress): [string, number] {
  return [address instanceof TransportAddress ? address.ip : address.name, address.port]
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined
  const port = Number(text)
  return port <= 65535 ? port : undefined
}

/** An address, or a name: whether the name can be used is for the agent to say. */
function parseHost(text: string, port: number): TransportAddress | NamedAddress | undefined {
  const words = { a: 0, b: 0, c: 0, d: 0 }
  if (readIp(text, words)) return new TransportAddress(words.a, words.b, words.c, words.d, port)
  if (/^(?=.{1,253}$)[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+$|^[0-9a-f-]{36}\.local$/i.test(text)) {
    return { name: text.toLowerCase(), port }
  }
  return undefined
}

/** Names and values in turns; what we do not know is ignored (RFC 8839 §5.1), and of duplicates the first counts. */
function extensionsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (let i = 0; i + 1 < words.length; i += 2) {
    const name = words[i]!.toLowerCase()
    if (!pairs.has(name)) pairs.set(name, words[i + 1]!)
  }
  return pairs
}

/** Undefined also where the sender hides it: 0.0.0.0 or ::, and port 9. A bad one costs no candidate. */
function relatedOf(pairs: ReadonlyMap<string, string>): TransportAddress | undefined {
  const host = pairs.get('raddr')
  const port = parsePort(pairs.get('rport') ?? '')
  if (host === undefined || port === undefined || host === '0.0.0.0' || host === '::') return undefined
  const address = parseHost(host, port)
  return address instanceof TransportAddress ? address : undefined
}

function networkCostOf(pairs: ReadonlyMap<string, string>): number | undefined {
  const text = pairs.get('network-cost')
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]?: Value })
}

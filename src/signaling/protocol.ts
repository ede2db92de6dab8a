/**
 * The signaling protocol, version 1: JSON messages between a peer and the signaling server, as docs/signaling.md
 * describes them. `data` of a signal is what perfect negotiation exchanges: exactly one description or candidate.
 * This file runs in browsers too.
 */

export const protocolVersion = 1

export const limits = {
  /** Limit: characters of one message. An SDP of many tracks takes 20,000. */
  messageLength: 65_536,
  /** Limit: characters of a room, a name, an identifier, a token. */
  nameLength: 128,
  reasonLength: 256,
} as const

/** What a peer is called by others. */
export interface PeerSummary {
  readonly id: string
  readonly name: string
}

/** The W3C shape, as RTCPeerConnection takes it. */
export interface IceServer {
  readonly urls: readonly string[]
  readonly username?: string
  readonly credential?: string
}

export interface Description {
  readonly type: 'offer' | 'answer' | 'pranswer' | 'rollback'
  readonly sdp: string
}

export interface Candidate {
  readonly candidate: string
  readonly sdpMid?: string | null
  readonly sdpMLineIndex?: number | null
  readonly usernameFragment?: string | null
}

/** `candidate: null` is the end of candidates. */
export type SignalData = { readonly description: Description } | { readonly candidate: Candidate | null }

/** Addressed to one peer of the same room. The server passes it on with `from` in the place of `to`. */
export type Addressed =
  | { readonly type: 'call' }
  | { readonly type: 'accept' }
  | { readonly type: 'decline'; readonly reason?: string }
  | { readonly type: 'bye'; readonly reason?: string }
  | { readonly type: 'signal'; readonly data: SignalData }

export interface Join {
  readonly type: 'join'
  readonly version: number
  readonly room: string
  readonly name?: string
  readonly token?: string
  /** Goes on with a session whose connection was lost: its secret, and the last message that had arrived. */
  readonly resume?: { readonly session: string; readonly received: number }
}

export type ClientMessage =
  | Join
  | { readonly type: 'leave' }
  /** Asks for fresh credentials, before those of `joined` expire. */
  | { readonly type: 'ice-servers' }
  | (Addressed & { readonly to: string })

export type ErrorCode =
  | 'bad-message'
  | 'unsupported-version'
  | 'not-joined'
  | 'already-joined'
  | 'unauthorized'
  | 'unknown-peer'
  | 'room-full'
  | 'server-full'
  | 'too-fast'
  | 'too-slow'

export interface Joined {
  readonly type: 'joined'
  readonly version: number
  readonly id: string
  readonly room: string
  readonly peers: readonly PeerSummary[]
  readonly iceServers: readonly IceServer[]
  /** The secret to resume with. */
  readonly session: string
  readonly resumed: boolean
  /** The number of the last message of this peer that the server has taken: later ones are to be sent again. */
  readonly received: number
}

export type LeftReason = 'left' | 'lost'

export type ServerMessage =
  | Joined
  | { readonly type: 'peer-joined'; readonly peer: PeerSummary }
  | { readonly type: 'peer-left'; readonly id: string; readonly reason: LeftReason }
  | { readonly type: 'ice-servers'; readonly iceServers: readonly IceServer[] }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string; readonly to?: string }
  | (Addressed & { readonly from: string })

/** Counts the messages of one direction, so that none is lost or taken twice when a connection is replaced. */
export type Numbered<Message> = Message & { readonly seq?: number }

/** Reads a client's message. A string says what is wrong with it, for the client's developer. */
export function parseClientMessage(text: string): Numbered<ClientMessage> | string {
  if (text.length > limits.messageLength) return `longer than ${limits.messageLength} characters`
  const message = parseObject(text)
  if (message === undefined) return 'not a JSON object'
  const { seq } = message
  if (seq !== undefined && !isCount(seq)) return '"seq" is not a whole number'
  const fault = faultOf(message)
  // Every field that the type names has been looked at, which TypeScript cannot know.
  return fault ?? (message as unknown as Numbered<ClientMessage>)
}

/** Reads a server's message; undefined if it is none. A type that is not known is for a later version: ignore it. */
export function parseServerMessage(text: string): Numbered<ServerMessage> | undefined {
  const message = parseObject(text)
  return message !== undefined && isServerMessage(message) ? message : undefined
}

type Fields = Readonly<Record<string, unknown>>

function faultOf(message: Fields): string | undefined {
  switch (message.type) {
    case 'join':
      return joinFault(message)
    case 'leave':
    case 'ice-servers':
      return undefined
    case 'call':
    case 'accept':
      return toFault(message)
    case 'decline':
    case 'bye':
      return (
        toFault(message) ??
        (message.reason === undefined || isText(message.reason, limits.reasonLength)
          ? undefined
          : `"reason" is not a text of at most ${limits.reasonLength} characters`)
      )
    case 'signal':
      return toFault(message) ?? dataFault(message.data)
    default:
      return `no message has the type ${JSON.stringify(message.type)?.slice(0, 40)}`
  }
}

function joinFault({ version, room, name, token, resume }: Fields): string | undefined {
  if (!isCount(version)) return '"version" is not a whole number'
  if (!isText(room, limits.nameLength) || room === '') return '"room" is not a name'
  if (name !== undefined && !isText(name, limits.nameLength)) return '"name" is not a name'
  if (token !== undefined && !isText(token, limits.messageLength)) return '"token" is not a text'
  if (resume === undefined) return undefined
  const { session, received } = isObject(resume) ? resume : {}
  return isText(session, limits.nameLength) && isCount(received)
    ? undefined
    : '"resume" is not {session, received}'
}

/** A peer must not fall over what a broken server sends. */
function isServerMessage(message: Fields): message is Fields & Numbered<ServerMessage> {
  const { type, seq, from, reason } = message
  if (seq !== undefined && !isCount(seq)) return false
  switch (type) {
    case 'joined':
      return isJoined(message)
    case 'peer-joined':
      return isPeer(message.peer)
    case 'peer-left':
      return isString(message.id) && isString(reason)
    case 'ice-servers':
      return isListOf(message.iceServers, isIceServer)
    case 'error':
      return isString(message.code) && isString(message.message) && isOptional(message.to, isString)
    case 'call':
    case 'accept':
      return isString(from)
    case 'decline':
    case 'bye':
      return isString(from) && isOptional(reason, isString)
    case 'signal':
      return isString(from) && dataFault(message.data) === undefined
    default:
      return isString(type)
  }
}

function isJoined({ version, id, room, peers, iceServers, session, resumed, received }: Fields): boolean {
  return (
    [id, room, session].every(isString) &&
    [version, received].every(isCount) &&
    typeof resumed === 'boolean' &&
    isListOf(peers, isPeer) &&
    isListOf(iceServers, isIceServer)
  )
}

function isPeer(value: unknown): boolean {
  return isObject(value) && isString(value.id) && isString(value.name)
}

function isIceServer(value: unknown): boolean {
  if (!isObject(value)) return false
  const { urls, username, credential } = value
  return isListOf(urls, isString) && isOptional(username, isString) && isOptional(credential, isString)
}

function isListOf(value: unknown, is: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is)
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value)
}

function toFault({ to }: Fields): string | undefined {
  return isText(to, limits.nameLength) ? undefined : '"to" is not the id of a peer'
}

function dataFault(data: unknown): string | undefined {
  const keys = isObject(data) ? Object.keys(data) : []
  if (keys.length !== 1 || !isObject(data)) return '"data" is not exactly {description} or {candidate}'
  const { description, candidate } = data
  if (keys[0] === 'description') {
    const { type, sdp } = isObject(description) ? description : {}
    const isDescription = typeof sdp === 'string' && descriptionTypes.includes(type)
    return isDescription ? undefined : '"description" is not {type, sdp}'
  }
  if (keys[0] !== 'candidate') return '"data" is not exactly {description} or {candidate}'
  const isCandidate = candidate === null || (isObject(candidate) && typeof candidate.candidate === 'string')
  return isCandidate ? undefined : '"candidate" is neither null nor {candidate, sdpMid, …}'
}

const descriptionTypes: readonly unknown[] = ['offer', 'answer', 'pranswer', 'rollback']

function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

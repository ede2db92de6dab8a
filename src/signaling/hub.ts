/**
 * The signaling server without a socket: connections and what they say in, messages to send out. Rooms, addressed
 * calls, limits, and sessions that outlive a lost connection. The protocol is docs/signaling.md.
 */

import { Deadlines } from '../core/deadlines.ts'
import { OutputQueue } from '../core/output-queue.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import { type Instant, later } from '../core/time.ts'
import { defaultHubOptions, type HubOptions } from './hub-options.ts'
import {
  type ClientMessage,
  type ErrorCode,
  type Join,
  type LeftReason,
  type PeerSummary,
  parseClientMessage,
  protocolVersion,
  type ServerMessage,
} from './protocol.ts'
import { Connection, type ConnectionId, Session } from './session.ts'

export type HubOutput =
  | { readonly type: 'send'; readonly connection: ConnectionId; readonly text: string }
  /** Close the connection; nothing more is heard of it here. */
  | {
      readonly type: 'close'
      readonly connection: ConnectionId
      readonly code: ErrorCode | 'left' | 'replaced'
    }
  | { readonly type: 'joined'; readonly peer: PeerSummary; readonly room: string }
  | { readonly type: 'left'; readonly peer: PeerSummary; readonly room: string; readonly reason: LeftReason }

export class SignalingHub {
  readonly #options: HubOptions
  readonly #random: Random
  readonly #connections = new Map<ConnectionId, Connection>()
  readonly #sessions = new Map<string, Session>()
  readonly #rooms = new Map<string, Map<string, Session>>()
  readonly #deadlines = new Deadlines<Connection | Session>()
  readonly #outputs = new OutputQueue<HubOutput>()

  constructor(options: Partial<HubOptions>, random: Random) {
    this.#options = { ...defaultHubOptions, ...options }
    this.#random = random
  }

  get peers(): number {
    return this.#sessions.size
  }

  get rooms(): number {
    return this.#rooms.size
  }

  /** A connection has come. It has to join within `joinTimeoutMs`. */
  connected(id: ConnectionId, now: Instant): void {
    const connection = new Connection(id, this.#options, now)
    this.#connections.set(id, connection)
    this.#deadlines.schedule(connection, later(now, this.#options.joinTimeoutMs))
  }

  /** The connection has gone, or is not read by its peer any more. Its session waits to be resumed. */
  disconnected(id: ConnectionId, now: Instant): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    this.#forgetConnection(connection)
    const { session } = connection
    if (session === undefined) return
    session.connection = undefined
    session.lostAt = now
    this.#deadlines.schedule(session, later(now, this.#options.graceMs))
  }

  received(id: ConnectionId, text: string, now: Instant): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    if (!connection.admits(now)) {
      this.#refuse(connection, 'too-fast', 'too many messages: this server takes them more slowly')
      return
    }
    const message = parseClientMessage(text)
    if (typeof message === 'string') this.#complain(connection, 'bad-message', message)
    else if (message.type === 'join') this.#join(connection, message)
    else if (connection.session === undefined) this.#complain(connection, 'not-joined', 'join a room first')
    else if (connection.session.isNew(message.seq)) this.#handle(connection.session, message)
  }

  handleTimeout(now: Instant): void {
    for (;;) {
      const due = this.#deadlines.takeDue(now)
      if (due === undefined) return
      if (due instanceof Connection) this.#refuse(due, 'not-joined', 'no join came in time')
      else if (due.lostAt !== undefined) this.#lost(due, due.lostAt, now)
    }
  }

  pollTimeout(): Instant | undefined {
    return this.#deadlines.next
  }

  poll(): HubOutput | undefined {
    return this.#outputs.take()
  }

  #join(connection: Connection, join: Join): void {
    if (connection.session !== undefined) {
      this.#complain(
        connection,
        'already-joined',
        `already in room ${JSON.stringify(connection.session.room)}`,
      )
      return
    }
    const refusal = this.#refusalOf(join)
    if (refusal !== undefined) {
      this.#refuse(connection, ...refusal)
      return
    }
    this.#deadlines.cancel(connection)
    const known = join.resume === undefined ? undefined : this.#sessions.get(join.resume.session)
    const missed = known?.room === join.room ? known.backlogAfter(join.resume?.received ?? 0) : undefined
    if (known !== undefined && missed !== undefined) {
      this.#resume(known, connection, missed)
      return
    }
    if (known !== undefined) {
      this.#detach(known, 'replaced')
      this.#end(known, 'lost')
    }
    this.#begin(connection, join)
  }

  #refusalOf(join: Join): [ErrorCode, string] | undefined {
    const { maxPeers, maxRooms, maxPeersPerRoom, authorize } = this.#options
    if (join.version !== protocolVersion) {
      return ['unsupported-version', `this server speaks version ${protocolVersion}, not ${join.version}`]
    }
    if (!authorize(join)) return ['unauthorized', 'the token is not valid for this room']
    if (join.resume !== undefined && this.#sessions.has(join.resume.session)) return undefined
    const room = this.#rooms.get(join.room)
    if (this.#sessions.size >= maxPeers) return ['server-full', 'the server has no place left']
    if (room === undefined && this.#rooms.size >= maxRooms) return ['server-full', 'there are too many rooms']
    if (room !== undefined && room.size >= maxPeersPerRoom) {
      return ['room-full', `room ${JSON.stringify(join.room)} has its ${maxPeersPerRoom} peers`]
    }
    return undefined
  }

  #begin(connection: Connection, { room, name }: Join): void {
    const members = this.#rooms.get(room) ?? new Map<string, Session>()
    this.#rooms.set(room, members)
    const session = new Session(
      this.#freeId(members),
      printable(name ?? ''),
      room,
      this.#secret(),
      this.#options,
    )
    this.#attach(session, connection)
    this.#sessions.set(session.secret, session)
    members.set(session.id, session)
    this.#welcome(session, false)
    this.#announce(session)
    this.#outputs.push({ type: 'joined', peer: session.summary, room })
  }

  #resume(session: Session, connection: Connection, missed: readonly string[]): void {
    this.#detach(session, 'replaced')
    this.#deadlines.cancel(session)
    this.#attach(session, connection)
    const wasAnnounced = session.isAnnouncedLost
    session.found()
    this.#welcome(session, true)
    if (wasAnnounced) this.#announce(session)
    for (const text of missed) this.#transmit(session, text)
  }

  #attach(session: Session, connection: Connection): void {
    session.connection = connection
    connection.session = session
  }

  /** The first message of a connection: without a number, for it says where the numbers stand. */
  #welcome(session: Session, resumed: boolean): void {
    const { id, room, secret, received, connection } = session
    const others = [...this.#members(room)].filter((other) => other !== session && !other.isAnnouncedLost)
    this.#send(connection, {
      type: 'joined',
      version: protocolVersion,
      id,
      room,
      peers: others.map(({ summary }) => summary),
      iceServers: this.#options.iceServers(session.summary),
      session: secret,
      resumed,
      received,
    })
  }

  #handle(session: Session, message: Exclude<ClientMessage, Join>): void {
    switch (message.type) {
      case 'leave':
        this.#end(session, 'left')
        this.#detach(session, 'left')
        return
      case 'ice-servers':
        this.#deliver(session, { type: 'ice-servers', iceServers: this.#options.iceServers(session.summary) })
        return
      default: {
        const { to, seq: _, ...rest } = message as typeof message & { seq?: number }
        const target = this.#rooms.get(session.room)?.get(to)
        if (target !== undefined) this.#deliver(target, { ...rest, from: session.id } as ServerMessage)
        else this.#deliver(session, { type: 'error', code: 'unknown-peer', message: 'no such peer here', to })
      }
    }
  }

  /** Closes the connection that the session has, if it has one. */
  #detach(session: Session, code: 'left' | 'replaced'): void {
    const { connection } = session
    if (connection === undefined) return
    session.connection = undefined
    this.#forgetConnection(connection)
    this.#outputs.push({ type: 'close', connection: connection.id, code })
  }

  /** Sends a message that must not be lost: it is numbered, and kept until newer ones need its place. */
  #deliver(session: Session, message: ServerMessage): void {
    this.#transmit(session, session.keep(message))
  }

  #transmit({ connection }: Session, text: string): void {
    if (connection !== undefined) this.#outputs.push({ type: 'send', connection: connection.id, text })
  }

  #announce(session: Session): void {
    this.#tellOthers(session, { type: 'peer-joined', peer: session.summary })
  }

  #tellOthers(session: Session, message: ServerMessage): void {
    for (const other of this.#members(session.room)) if (other !== session) this.#deliver(other, message)
  }

  /** First the others are told; when the time to resume is over as well, the session is forgotten. */
  #lost(session: Session, lostAt: Instant, now: Instant): void {
    const forgetAt = later(lostAt, this.#options.resumeMs)
    if (now >= forgetAt) {
      this.#end(session, 'lost')
      return
    }
    session.isAnnouncedLost = true
    this.#tellOthers(session, { type: 'peer-left', id: session.id, reason: 'lost' })
    this.#deadlines.schedule(session, forgetAt)
  }

  #end(session: Session, reason: LeftReason): void {
    if (!this.#sessions.delete(session.secret)) return
    this.#deadlines.cancel(session)
    const members = this.#rooms.get(session.room)
    members?.delete(session.id)
    if (members?.size === 0) this.#rooms.delete(session.room)
    if (!session.isAnnouncedLost) this.#tellOthers(session, { type: 'peer-left', id: session.id, reason })
    this.#outputs.push({ type: 'left', peer: session.summary, room: session.room, reason })
  }

  #complain(connection: Connection, code: ErrorCode, message: string): void {
    this.#send(connection, { type: 'error', code, message })
  }

  /** Says why, and closes the connection. */
  #refuse(connection: Connection, code: ErrorCode, message: string): void {
    this.#complain(connection, code, message)
    this.#outputs.push({ type: 'close', connection: connection.id, code })
    if (connection.session !== undefined) this.#end(connection.session, 'left')
    this.#forgetConnection(connection)
  }

  #send(connection: Connection | undefined, message: ServerMessage): void {
    if (connection === undefined) return
    this.#outputs.push({ type: 'send', connection: connection.id, text: JSON.stringify(message) })
  }

  #forgetConnection(connection: Connection): void {
    this.#deadlines.cancel(connection)
    this.#connections.delete(connection.id)
  }

  #members(room: string): Iterable<Session> {
    return this.#rooms.get(room)?.values() ?? []
  }

  /** Short enough to be read aloud; unique within the room. */
  #freeId(members: ReadonlyMap<string, Session>): string {
    for (;;) {
      const id = randomUint32(this.#random).toString(36).padStart(7, '0')
      if (!members.has(id)) return id
    }
  }

  #secret(): string {
    return [...this.#random.bytes(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}

/** Names are shown to people and logged: control and formatting characters are taken out. */
function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '').trim()
}

/** A connection to the signaling server, and the session that may outlive it. */

import { unscheduled } from '../core/deadlines.ts'
import type { Instant } from '../core/time.ts'
import type { HubOptions } from './hub-options.ts'
import type { PeerSummary, ServerMessage } from './protocol.ts'

export type ConnectionId = number

export class Connection {
  readonly id: ConnectionId
  session: Session | undefined
  deadline: Instant
  heapIndex: number = unscheduled
  readonly #intervalMs: number
  readonly #burstMs: number
  /** When all messages so far are paid for (the generic cell rate algorithm). */
  #paidUntil: number

  constructor(id: ConnectionId, { messagesPerSecond, messageBurst }: HubOptions, now: Instant) {
    this.id = id
    this.deadline = now
    this.#intervalMs = 1000 / messagesPerSecond
    this.#burstMs = messageBurst * this.#intervalMs
    this.#paidUntil = now
  }

  /** Whether one more message is within the rate; if so it is counted. */
  admits(now: Instant): boolean {
    const paidUntil = Math.max(this.#paidUntil, now)
    if (paidUntil - now > this.#burstMs) return false
    this.#paidUntil = paidUntil + this.#intervalMs
    return true
  }
}

interface Kept {
  readonly seq: number
  readonly text: string
}

/** A peer in a room. Its connection may be lost and replaced. */
export class Session {
  readonly id: string
  readonly name: string
  readonly room: string
  /** Known to the peer alone; who shows it goes on with the session. */
  readonly secret: string
  connection: Connection | undefined
  lostAt: Instant | undefined
  /** The others have been told that it is gone. */
  isAnnouncedLost = false
  /** The number of the last message of the peer that was taken. */
  received = 0
  deadline = 0 as Instant
  heapIndex: number = unscheduled
  readonly #limit: number
  #backlog: Kept[] = []
  #backlogLength = 0
  #sent = 0

  constructor(id: string, name: string, room: string, secret: string, { maxBacklogLength }: HubOptions) {
    this.id = id
    this.name = name
    this.room = room
    this.secret = secret
    this.#limit = maxBacklogLength
  }

  get summary(): PeerSummary {
    return { id: this.id, name: this.name }
  }

  /** Whether a message with this number has not been taken yet; one without a number always is new. */
  isNew(seq: number | undefined): boolean {
    if (seq === undefined) return true
    if (seq <= this.received) return false
    this.received = seq
    return true
  }

  /** The connection is back, or a new one is there. */
  found(): void {
    this.lostAt = undefined
    this.isAnnouncedLost = false
  }

  /** Numbers a message and keeps its text, so that it can be sent again; the oldest make room for the newest. */
  keep(message: ServerMessage): string {
    this.#sent++
    const text = JSON.stringify({ ...message, seq: this.#sent })
    this.#backlog.push({ seq: this.#sent, text })
    this.#backlogLength += text.length
    while (this.#backlogLength > this.#limit) this.#backlogLength -= this.#backlog.shift()!.text.length
    return text
  }

  /** What the peer has not received; undefined when some of that has had to make room. */
  backlogAfter(received: number): string[] | undefined {
    const oldest = this.#backlog[0]?.seq ?? this.#sent + 1
    if (received + 1 < oldest) return undefined
    return this.#backlog.filter(({ seq }) => seq > received).map(({ text }) => text)
  }
}

/** What `turnpike peer` shows: events as they come, and of a call one line that is written anew every second. */

import type { Call } from '../peer/call.ts'
import type { PathReport } from '../peer/path-report.ts'
import type { PeerSummary } from '../signaling/protocol.ts'

export interface PeerScreenOptions {
  readonly json?: boolean
  readonly stats?: boolean
}

/** A call, or a session of HTTP. */
export type Watched = Pick<Call, 'connection' | 'path'>

const everyMs = 1000

export class PeerScreen {
  readonly #isJson: boolean
  readonly #isLive: boolean
  readonly #showsStats: boolean
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #hasLine = false

  constructor({ json = false, stats = false }: PeerScreenOptions) {
    this.#isJson = json
    this.#isLive = !json && process.stderr.isTTY
    this.#showsStats = stats || this.#isLive
    process.stdout.on('error', () => {})
  }

  joined(id: string, room: string, peers: readonly PeerSummary[]): void {
    if (this.#isJson) this.#json('joined', { id, room, peers })
    else {
      const others = peers.length === 0 ? 'nobody else is here' : `here: ${peers.map(nameOf).join(', ')}`
      this.#line(`joined room ${room} as ${id}; ${others}`)
    }
  }

  connected(peer: PeerSummary): void {
    this.tell('connected', { id: peer.id, name: peer.name })
  }

  ended(peer: PeerSummary, reason: string): void {
    clearInterval(this.#timers.get(peer.id))
    this.#timers.delete(peer.id)
    this.tell('ended', { name: nameOf(peer), reason })
  }

  tell(event: string, fields: Readonly<Record<string, string>>): void {
    if (this.#isJson) this.#json(event, fields)
    else this.#line(`${event.replace('-', ' ')}: ${Object.values(fields).filter(Boolean).join(', ')}`)
  }

  /** A text to copy: by itself on stdout, so that a program can read it too. */
  show(event: string, text: string, what: string): void {
    if (this.#isJson) this.#json(event, { text })
    else {
      this.#line(what)
      process.stdout.write(`\n${text}\n\n`)
    }
  }

  /** Shows how the call with that peer is doing until it ends. */
  watch(id: string, call: Watched): void {
    if (!this.#showsStats && !this.#isJson) return
    let last: PathReport | undefined
    const show = async () => {
      const path = await call.path().catch(() => undefined)
      if (!this.#timers.has(id)) return
      if (this.#isJson) {
        if (this.#showsStats)
          this.#json('stats', { state: call.connection.connectionState, path: path ?? null })
      } else if (this.#isLive) {
        // Addresses are long: they have a line of their own when they change.
        if (path !== undefined && addressesOf(path) !== addressesOf(last)) {
          this.tell('path', { path: addressesOf(path) ?? '' })
        }
        this.#status(statusLine(call, path, last))
      } else this.#line(`${statusLine(call, path, last)}  ${addressesOf(path) ?? ''}`.trimEnd())
      last = path
    }
    clearInterval(this.#timers.get(id))
    this.#timers.set(id, setInterval(show, everyMs))
  }

  close(): void {
    for (const timer of this.#timers.values()) clearInterval(timer)
    this.#timers.clear()
    if (this.#hasLine) process.stderr.write('\n')
    this.#hasLine = false
  }

  #json(event: string, fields: object): void {
    process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
  }

  /** A line that stays. */
  #line(text: string): void {
    process.stderr.write(`${this.#hasLine ? '\r\x1b[K' : ''}${printable(text)}\n`)
    this.#hasLine = false
  }

  /** A line that the next one takes the place of, on a terminal. */
  #status(text: string): void {
    const width = process.stderr.columns ?? 80
    process.stderr.write(`\r\x1b[K${text.slice(0, width - 1)}`)
    this.#hasLine = true
  }
}

/** `192.0.2.2:5000 - 192.0.2.7:6000` */
function addressesOf(path: PathReport | undefined): string | undefined {
  return path && `${path.local} - ${path.remote}`
}

/** `connected  direct  1.2 ms  up 510 kbit/s  down 498 kbit/s  lost 0`: fits into 80 columns. */
export function statusLine(
  call: Pick<Call, 'connection'>,
  path: PathReport | undefined,
  last: PathReport | undefined,
): string {
  const state = call.connection.connectionState
  if (path === undefined) return `${state}  no path yet`
  const rtt = path.roundTripMs === undefined ? '' : `  ${path.roundTripMs.toFixed(1)} ms`
  const rate = (now: number, before: number | undefined) =>
    `${Math.round(((now - (before ?? now)) * 8) / 1000)} kbit/s`
  return [
    `${state}  ${path.isRelayed ? 'relayed' : 'direct'}${rtt}`,
    `up ${rate(path.bytesSent, last?.bytesSent)}`,
    `down ${rate(path.bytesReceived, last?.bytesReceived)}`,
    `lost ${path.packetsLost}`,
  ].join('  ')
}

function nameOf({ name, id }: PeerSummary): string {
  return name === '' ? id : name
}

/** What others send is shown as text, and moves no cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}

/** The codes of a punch in a signaling room: the first two who punch there give each other theirs. */

import { TurnpikeError } from '../core/errors.ts'
import { decodePunchCode, type PunchOffer } from '../probe/punch-code.ts'
import { SignalingClient } from '../signaling/client.ts'
import type { PeerSummary } from '../signaling/protocol.ts'
import type { PunchMeeting } from './punch-paste.ts'

export interface RoomOptions {
  readonly url: string
  readonly room: string
  readonly token: string | undefined
  readonly waitMs: number
  readonly signal: AbortSignal
  readonly say: (text: string) => void
}

/** What those who punch call themselves: others in the room are left alone. */
const name = 'turnpike punch'
/** Limit: for a server that is not there. */
const joinMs = 10_000
/** A code in place of a session description. */
const line = 'a=x-turnpike-punch:'

export function roomMeeting(options: RoomOptions): PunchMeeting {
  let client: SignalingClient | undefined
  return {
    isPeerLate: false,
    exchange: (code) =>
      new Promise<PunchOffer>((resolve, reject) => {
        client = meet(code, options, resolve, (why) => reject(new TurnpikeError('call-failed', why)))
      }),
    close: () => client?.close(),
  }
}

function meet(
  code: string,
  { url, room, token, waitMs, signal, say }: RoomOptions,
  found: (offer: PunchOffer) => void,
  failed: (why: string) => void,
): SignalingClient {
  let peer: string | undefined
  const fail = (why: string) => {
    stop()
    client.close()
    failed(why)
  }
  const limit = { timer: setTimeout(() => fail(`${url} cannot be reached`), joinMs) }
  const interrupt = () => fail('interrupted before the other side came')
  const stop = () => {
    clearTimeout(limit.timer)
    signal.removeEventListener('abort', interrupt)
  }
  signal.addEventListener('abort', interrupt)
  const greet = (other: PeerSummary) => {
    if (peer !== undefined || other.name !== name) return
    peer = other.id
    client.signal(other.id, { description: { type: 'offer', sdp: `${line}${code}` } })
  }
  const client = new SignalingClient(
    { url, room, name, ...(token === undefined ? {} : { token }) },
    {
      joined: ({ peers }) => {
        clearTimeout(limit.timer)
        limit.timer = setTimeout(() => fail(`nobody has come to punch in the room ${room}`), waitMs)
        say(`in the room ${room}; on the other host: turnpike punch --signal ${url} --room ${room}\n`)
        for (const other of peers) greet(other)
      },
      peerJoined: greet,
      message: (message) => {
        if (message.type !== 'signal') return
        const { data } = message
        const sdp = 'description' in data ? data.description.sdp : undefined
        if (sdp === undefined || !sdp.startsWith(line)) return
        const offer = decodePunchCode(sdp.slice(line.length))
        if (typeof offer === 'string') return
        greet({ id: message.from, name })
        stop()
        found(offer)
      },
      error: ({ message }) => fail(`${url}: ${message}`),
    },
  )
  return client
}

import { describe, expect, it } from 'vitest'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { SignalingHub } from '../../src/signaling/hub.ts'
import type { HubOptions } from '../../src/signaling/hub-options.ts'
import type { Joined, ServerMessage } from '../../src/signaling/protocol.ts'
import { seededRandom } from '../support/random.ts'

type Received = ServerMessage & { readonly seq?: number }

/** The hub in simulated time; what it sends is sorted by connection. */
class HubHarness {
  readonly hub: SignalingHub
  now: Instant = instant(1_000)
  readonly closed = new Map<number, string>()
  readonly events: string[] = []
  readonly #inboxes = new Map<number, Received[]>()
  #nextConnection = 1

  constructor(options: Partial<HubOptions> = {}) {
    this.hub = new SignalingHub(options, seededRandom(7))
  }

  connect(): number {
    const connection = this.#nextConnection++
    this.#inboxes.set(connection, [])
    this.hub.connected(connection, this.now)
    this.#drain()
    return connection
  }

  send(connection: number, message: object | string): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message)
    this.hub.received(connection, text, this.now)
    this.#drain()
  }

  disconnect(connection: number): void {
    this.hub.disconnected(connection, this.now)
    this.#drain()
  }

  join(room: string, more: object = {}): { connection: number; joined: Joined } {
    const connection = this.connect()
    this.send(connection, { type: 'join', version: 1, room, ...more })
    const [joined] = this.take(connection)
    if (joined?.type !== 'joined') throw new Error(JSON.stringify(joined))
    return { connection, joined }
  }

  take(connection: number): Received[] {
    const messages = this.#inboxes.get(connection) ?? []
    this.#inboxes.set(connection, [])
    return messages
  }

  elapse(milliseconds: number): void {
    const end = later(this.now, milliseconds)
    for (;;) {
      const due = this.hub.pollTimeout()
      if (due === undefined || due > end) break
      this.now = due
      this.hub.handleTimeout(due)
      this.#drain()
    }
    this.now = end
  }

  #drain(): void {
    for (let output = this.hub.poll(); output !== undefined; output = this.hub.poll()) {
      if (output.type === 'send') this.#inboxes.get(output.connection)?.push(JSON.parse(output.text))
      else if (output.type === 'close') this.closed.set(output.connection, output.code)
      else this.events.push(`${output.type} ${output.peer.name} ${output.room}`)
    }
  }
}

const offer = { description: { type: 'offer', sdp: 'v=0' } }

describe('rooms', () => {
  it('tells a peer who is there, and those who are there of the peer', () => {
    const h = new HubHarness()
    const a = h.join('r', { name: 'Ann' })
    const b = h.join('r', { name: 'Bob' })
    expect(a.joined.peers).toEqual([])
    expect(b.joined.peers).toEqual([{ id: a.joined.id, name: 'Ann' }])
    expect(h.take(a.connection)).toEqual([
      { type: 'peer-joined', peer: { id: b.joined.id, name: 'Bob' }, seq: 1 },
    ])
    h.send(b.connection, { type: 'leave' })
    expect(h.take(a.connection)).toEqual([{ type: 'peer-left', id: b.joined.id, reason: 'left', seq: 2 }])
    expect(h.closed.get(b.connection)).toBe('left')
    expect(h.events).toEqual(['joined Ann r', 'joined Bob r', 'left Bob r'])
  })

  it('keeps rooms apart', () => {
    const h = new HubHarness()
    const a = h.join('r1')
    const b = h.join('r2')
    expect(b.joined.peers).toEqual([])
    expect(h.take(a.connection)).toEqual([])
    h.send(b.connection, { type: 'call', to: a.joined.id })
    expect(h.take(a.connection)).toEqual([])
    expect(h.take(b.connection)).toMatchObject([{ type: 'error', code: 'unknown-peer', to: a.joined.id }])
  })

  it('gives every peer servers with credentials of its own', () => {
    const h = new HubHarness({
      iceServers: (peer) => [{ urls: ['turn:x'], username: `1:${peer.id}`, credential: 'c' }],
    })
    const { connection, joined } = h.join('r')
    expect(joined.iceServers).toEqual([{ urls: ['turn:x'], username: `1:${joined.id}`, credential: 'c' }])
    h.send(connection, { type: 'ice-servers' })
    expect(h.take(connection)).toMatchObject([{ type: 'ice-servers', iceServers: joined.iceServers }])
  })

  it('forgets a room when its last peer has left', () => {
    const h = new HubHarness()
    const { connection } = h.join('r')
    h.send(connection, { type: 'leave' })
    expect([h.hub.peers, h.hub.rooms, h.hub.pollTimeout()]).toEqual([0, 0, undefined])
  })
})

describe('calls', () => {
  it.each([
    ['call', {}],
    ['accept', {}],
    ['decline', { reason: 'busy' }],
    ['bye', { reason: 'done' }],
    ['signal', { data: offer }],
    ['signal', { data: { candidate: { candidate: 'candidate:1', sdpMid: '0' } } }],
    ['signal', { data: { candidate: null } }],
  ])('passes %s on to the peer it is for, and says who sent it', (type, fields) => {
    const h = new HubHarness()
    const a = h.join('r')
    const b = h.join('r')
    h.take(a.connection)
    h.send(b.connection, { type, to: a.joined.id, from: 'somebody else', ...fields })
    expect(h.take(a.connection)).toEqual([{ type, from: b.joined.id, ...fields, seq: 2 }])
    expect(h.take(b.connection)).toEqual([])
  })
})

describe('bad input', () => {
  it.each([
    ['nonsense', 'not a JSON object'],
    ['[]', 'not a JSON object'],
    ['null', 'not a JSON object'],
    [{}, 'no message has the type undefined'],
    [{ type: 'dance' }, 'no message has the type "dance"'],
    [{ type: 'join', room: 'r' }, '"version" is not a whole number'],
    [{ type: 'join', version: 1 }, '"room" is not a name'],
    [{ type: 'join', version: 1, room: 'x'.repeat(129) }, '"room" is not a name'],
    [{ type: 'join', version: 1, room: 'r', name: 5 }, '"name" is not a name'],
    [{ type: 'join', version: 1, room: 'r', resume: {} }, '"resume" is not {session, received}'],
    [{ type: 'call' }, '"to" is not the id of a peer'],
    [{ type: 'call', to: 'x', seq: -1 }, '"seq" is not a whole number'],
    [{ type: 'bye', to: 'x', reason: 'x'.repeat(257) }, '"reason" is not a text of at most 256 characters'],
    [{ type: 'signal', to: 'x' }, '"data" is not exactly {description} or {candidate}'],
    [{ type: 'signal', to: 'x', data: { ...offer, candidate: null } }, '"data" is not exactly'],
    [{ type: 'signal', to: 'x', data: { sdp: '' } }, '"data" is not exactly'],
    [{ type: 'signal', to: 'x', data: { description: { type: 'x', sdp: '' } } }, '"description" is not'],
    [{ type: 'signal', to: 'x', data: { candidate: 'candidate:1' } }, '"candidate" is neither'],
    [`{"type":"call","to":"${'x'.repeat(65_536)}"}`, 'longer than 65536 characters'],
  ])('names what is wrong with %j', (message, fault) => {
    const h = new HubHarness()
    const connection = h.connect()
    h.send(connection, message)
    const [answer] = h.take(connection)
    expect(answer).toMatchObject({ type: 'error', code: 'bad-message' })
    expect(answer).toHaveProperty('message', expect.stringContaining(fault))
    expect(h.closed.size).toBe(0)
  })

  it('takes nothing but a join first', () => {
    const h = new HubHarness()
    const connection = h.connect()
    h.send(connection, { type: 'call', to: 'x' })
    expect(h.take(connection)).toMatchObject([{ type: 'error', code: 'not-joined' }])
  })

  it('refuses another version and a second join', () => {
    const h = new HubHarness()
    const old = h.connect()
    h.send(old, { type: 'join', version: 2, room: 'r' })
    expect(h.take(old)).toMatchObject([{ type: 'error', code: 'unsupported-version' }])
    expect(h.closed.get(old)).toBe('unsupported-version')
    const { connection } = h.join('r')
    h.send(connection, { type: 'join', version: 1, room: 'other' })
    expect(h.take(connection)).toMatchObject([{ type: 'error', code: 'already-joined' }])
  })

  it('takes control and formatting characters out of names', () => {
    const h = new HubHarness()
    h.join('r', { name: ' A\u0000n\u202en\n ' })
    expect(h.join('r').joined.peers[0]?.name).toBe('Ann')
  })

  it('does not mistake __proto__ for a field', () => {
    const h = new HubHarness()
    const connection = h.connect()
    h.send(connection, '{"__proto__":{"type":"join","version":1,"room":"r"}}')
    expect(h.take(connection)).toMatchObject([{ type: 'error', code: 'bad-message' }])
  })
})

describe('limits', () => {
  it('refuses a peer without the right token', () => {
    const h = new HubHarness({ authorize: ({ token }) => token === 'key' })
    const connection = h.connect()
    h.send(connection, { type: 'join', version: 1, room: 'r', token: 'no' })
    expect(h.take(connection)).toMatchObject([{ type: 'error', code: 'unauthorized' }])
    expect(h.closed.get(connection)).toBe('unauthorized')
    expect(h.join('r', { token: 'key' }).joined.room).toBe('r')
  })

  it.each([
    [{ maxPeersPerRoom: 1 }, 'r', 'room-full'],
    [{ maxPeers: 1 }, 'other', 'server-full'],
    [{ maxRooms: 1 }, 'other', 'server-full'],
  ])('with %j it refuses one more in %s: %s', (options, room, code) => {
    const h = new HubHarness(options)
    h.join('r')
    const connection = h.connect()
    h.send(connection, { type: 'join', version: 1, room })
    expect(h.take(connection)).toMatchObject([{ type: 'error', code }])
  })

  it('closes a connection that does not join', () => {
    const h = new HubHarness({ joinTimeoutMs: 10_000 })
    const connection = h.connect()
    h.elapse(9_999)
    expect(h.closed.size).toBe(0)
    h.elapse(1)
    expect(h.closed.get(connection)).toBe('not-joined')
  })

  it('closes a connection that sends too fast, and tells its room', () => {
    const h = new HubHarness({ messagesPerSecond: 10, messageBurst: 20 })
    const a = h.join('r')
    const b = h.join('r')
    h.take(a.connection)
    for (let i = 0; i < 40; i++) h.send(b.connection, { type: 'call', to: a.joined.id })
    expect(h.closed.get(b.connection)).toBe('too-fast')
    expect(h.take(a.connection).at(-1)).toMatchObject({ type: 'peer-left', id: b.joined.id })
  })

  it('lets a peer send at the rate for ever', () => {
    const h = new HubHarness({ messagesPerSecond: 10, messageBurst: 20 })
    const { connection } = h.join('r')
    for (let i = 0; i < 1000; i++) {
      h.send(connection, { type: 'ice-servers' })
      h.elapse(100)
    }
    expect(h.closed.size).toBe(0)
  })
})

describe('a lost connection', () => {
  it('is kept from the others for 2 seconds, and forgotten after 30', () => {
    const h = new HubHarness()
    const a = h.join('r')
    const b = h.join('r')
    h.take(a.connection)
    h.disconnect(b.connection)
    h.elapse(1_999)
    expect(h.take(a.connection)).toEqual([])
    h.elapse(1)
    expect(h.take(a.connection)).toMatchObject([{ type: 'peer-left', id: b.joined.id, reason: 'lost' }])
    expect(h.join('r').joined.peers.map(({ id }) => id)).not.toContain(b.joined.id)
    h.elapse(27_999)
    expect(h.hub.peers).toBe(3)
    h.elapse(1)
    expect(h.hub.peers).toBe(2)
    expect(h.take(a.connection)).toMatchObject([{ type: 'peer-joined' }])
  })

  it('is resumed with the same id, and nothing is lost or told twice', () => {
    const h = new HubHarness()
    const a = h.join('r')
    const b = h.join('r')
    h.send(a.connection, { type: 'call', to: b.joined.id })
    expect(h.take(b.connection)).toMatchObject([{ type: 'call', seq: 1 }])
    h.disconnect(b.connection)
    h.send(a.connection, { type: 'signal', to: b.joined.id, data: offer })
    h.take(a.connection)
    const again = h.connect()
    h.send(again, { type: 'join', version: 1, room: 'r', resume: { session: b.joined.session, received: 1 } })
    expect(h.take(again)).toMatchObject([
      { type: 'joined', id: b.joined.id, resumed: true },
      { type: 'signal', data: offer, seq: 2 },
    ])
    h.elapse(60_000)
    expect(h.take(a.connection)).toEqual([])
  })

  it('is announced as back when it had been announced as lost', () => {
    const h = new HubHarness()
    const a = h.join('r')
    const b = h.join('r', { name: 'Bob' })
    h.disconnect(b.connection)
    h.elapse(5_000)
    h.take(a.connection)
    h.join('r', { resume: { session: b.joined.session, received: 0 } })
    expect(h.take(a.connection)).toMatchObject([
      { type: 'peer-joined', peer: { id: b.joined.id, name: 'Bob' } },
    ])
  })

  it('says how far it has taken what the peer sent, and takes nothing twice', () => {
    const h = new HubHarness()
    const a = h.join('r')
    const b = h.join('r')
    h.send(b.connection, { type: 'call', to: a.joined.id, seq: 1 })
    h.send(b.connection, { type: 'signal', to: a.joined.id, data: offer, seq: 2 })
    h.disconnect(b.connection)
    const { connection, joined } = h.join('r', { resume: { session: b.joined.session, received: 0 } })
    expect(joined.received).toBe(2)
    h.take(a.connection)
    h.send(connection, { type: 'signal', to: a.joined.id, data: offer, seq: 2 })
    expect(h.take(a.connection)).toEqual([])
  })

  it('is replaced by a newer connection of the same session', () => {
    const h = new HubHarness()
    const a = h.join('r')
    const { joined } = h.join('r', { resume: { session: a.joined.session, received: 0 } })
    expect(joined).toMatchObject({ id: a.joined.id, resumed: true })
    expect(h.closed.get(a.connection)).toBe('replaced')
    h.disconnect(a.connection)
    h.elapse(60_000)
    expect(h.hub.peers).toBe(1)
  })

  it('begins anew when more was missed than is kept', () => {
    const h = new HubHarness({ maxBacklogLength: 1000 })
    const a = h.join('r')
    const b = h.join('r')
    h.disconnect(b.connection)
    for (let i = 0; i < 20; i++) h.send(a.connection, { type: 'signal', to: b.joined.id, data: offer })
    h.take(a.connection)
    const { joined } = h.join('r', { resume: { session: b.joined.session, received: 0 } })
    expect(joined.resumed).toBe(false)
    expect(joined.id).not.toBe(b.joined.id)
    expect(h.take(a.connection)).toMatchObject([
      { type: 'peer-left', id: b.joined.id },
      { type: 'peer-joined' },
    ])
  })

  it('begins anew with a secret that nobody has, or in another room', () => {
    const h = new HubHarness()
    const a = h.join('r')
    expect(h.join('r', { resume: { session: 'no', received: 0 } }).joined.resumed).toBe(false)
    const moved = h.join('other', { resume: { session: a.joined.session, received: 0 } })
    expect(moved.joined).toMatchObject({ resumed: false, room: 'other' })
    expect(h.closed.get(a.connection)).toBe('replaced')
  })

  it('leaves nothing behind when all have gone', () => {
    const h = new HubHarness()
    for (let i = 0; i < 50; i++) h.disconnect(h.join(`room ${i % 7}`).connection)
    h.elapse(30_000)
    expect([h.hub.peers, h.hub.rooms, h.hub.pollTimeout()]).toEqual([0, 0, undefined])
  })
})

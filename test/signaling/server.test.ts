import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import { NodeHost } from '../../src/net/node-host.ts'
import { SignalingClient, type SignalingHandlers } from '../../src/signaling/client.ts'
import { defaultHubOptions } from '../../src/signaling/hub-options.ts'
import type { Joined, PeerSummary } from '../../src/signaling/protocol.ts'
import {
  type SignalingOptions,
  type SignalingServer,
  serveSignaling,
  signalingDefaults,
} from '../../src/signaling/server.ts'

const host = new NodeHost()
let http: Server
let signaling: SignalingServer
let url: string
let refused: string[]
const clients: SignalingClient[] = []

/** What an access network that changes does away with. */
const connections = new Set<Socket>()

async function serve(options: Partial<SignalingOptions> = {}): Promise<void> {
  http = createServer((_request, response) => response.writeHead(404).end())
  refused = []
  signaling = serveSignaling(
    http,
    host,
    { path: '/signaling', ...options },
    {
      refused: (_address, reason) => refused.push(reason),
    },
  )
  http.on('connection', (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/signaling`
}

beforeEach(() => serve())

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  signaling.close()
  http.closeAllConnections()
  http.close()
  await once(http, 'close')
})

/** What has happened to a client, and a way to wait for more. */
class Watched {
  readonly client: SignalingClient
  readonly seen: string[] = []
  joined: Joined | undefined
  #watchers: (() => void)[] = []

  constructor(room: string, name = '', more: object = {}) {
    const note = (what: string) => {
      this.seen.push(what)
      for (const watcher of this.#watchers.splice(0)) watcher()
    }
    const handlers: SignalingHandlers = {
      joined: (joined) => {
        this.joined = joined
        note(joined.resumed ? 'resumed' : 'joined')
      },
      peerJoined: (peer: PeerSummary) => note(`peer-joined ${peer.name}`),
      peerLeft: (_id, reason) => note(`peer-left ${reason}`),
      message: (message) => note(`${message.type} ${JSON.stringify('data' in message ? message.data : '')}`),
      error: ({ code }) => note(`error ${code}`),
      stateChanged: (state) => note(`state ${state}`),
    }
    this.client = new SignalingClient({ url, room, name, ...more }, handlers)
    clients.push(this.client)
  }

  async until(what: string): Promise<void> {
    while (!this.seen.includes(what)) {
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve)
      })
    }
  }
}

describe('signaling over WebSockets', () => {
  it('brings two peers together, who then talk to each other', async () => {
    const a = new Watched('r', 'Ann')
    await a.until('joined')
    const b = new Watched('r', 'Bob')
    await b.until('joined')
    await a.until('peer-joined Bob')
    b.client.call(a.client.id!)
    await a.until('call ""')
    a.client.accept(b.client.id!)
    await b.until('accept ""')
    b.client.signal(a.client.id!, { candidate: null })
    await a.until('signal {"candidate":null}')
    b.client.close()
    await a.until('peer-left left')
  })

  it('delivers what was said before the room was joined', async () => {
    const a = new Watched('r')
    await a.until('joined')
    const b = new Watched('r')
    b.client.call(a.client.id!)
    await a.until('call ""')
  })

  it('goes on with its session when the connection is lost, and loses nothing', async () => {
    const a = new Watched('r', 'Ann')
    await a.until('joined')
    const b = new Watched('r', 'Bob')
    await b.until('joined')
    const before = b.client.id
    for (const socket of connections) socket.destroy()
    b.client.signal(a.client.id!, { candidate: null })
    await b.until('resumed')
    expect(b.client.id).toBe(before)
    await a.until('signal {"candidate":null}')
    expect(a.seen).not.toContain('peer-left lost')
  })

  it('tells the others within its time of a peer that has fallen silent', async () => {
    signaling.close()
    http.close()
    await serve({ pingMs: 50, silenceMs: 200, graceMs: 100 })
    const a = new Watched('r', 'Ann')
    await a.until('joined')
    const silent = new NodeWebSocket(url, { autoPong: false })
    await once(silent, 'open')
    silent.send(JSON.stringify({ type: 'join', version: 1, room: 'r', name: 'Sil' }))
    await a.until('peer-joined Sil')
    await a.until('peer-left lost')
    silent.terminate()
  })

  it('tells of it within ten seconds unless told otherwise, whenever the last sign of life was', () => {
    const { pingMs, silenceMs } = signalingDefaults
    expect(silenceMs + pingMs + defaultHubOptions.graceMs).toBeLessThanOrEqual(10_000)
    // One answer may be late without anything being wrong.
    expect(silenceMs).toBeGreaterThan(2 * pingMs)
  })

  it('does not come back when it is refused for good', async () => {
    signaling.close()
    http.close()
    await serve({ authorize: () => false })
    const a = new Watched('r')
    await a.until('error unauthorized')
    expect(a.client.state).toBe('closed')
  })

  it.each([
    ['https://elsewhere.example', undefined, 403],
    ['null', undefined, 403],
    ['https://app.example', ['https://app.example'], 101],
    ['https://elsewhere.example', ['https://app.example'], 403],
    ['https://elsewhere.example', ['*'], 101],
    [undefined, ['https://app.example'], 101],
  ])('with origin %s and origins %j the answer is %i', async (origin, origins, status) => {
    signaling.close()
    http.close()
    await serve(origins === undefined ? {} : { origins })
    const socket = new NodeWebSocket(url, origin === undefined ? {} : { origin })
    const answer = await new Promise((resolve) => {
      socket.on('open', () => resolve(101))
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode))
      socket.on('error', () => {})
    })
    socket.terminate()
    expect(answer).toBe(status)
  })

  it('admits a page of its own address', async () => {
    const socket = new NodeWebSocket(url, { origin: url.replace('ws:', 'http:').replace('/signaling', '') })
    await once(socket, 'open')
    socket.terminate()
  })

  it('keeps to its number of connections from one address', async () => {
    signaling.close()
    http.close()
    await serve({ maxConnectionsPerAddress: 1 })
    const first = new NodeWebSocket(url)
    await once(first, 'open')
    const second = new NodeWebSocket(url)
    await once(second, 'error')
    expect(refused).toEqual(['1 connections'])
    first.terminate()
  })

  it('serves the others whatever one client sends', async () => {
    const a = new Watched('r', 'Ann')
    await a.until('joined')
    const hostile: ((socket: NodeWebSocket) => void)[] = [
      (socket) => socket.send(Buffer.alloc(1000)),
      (socket) => socket.send('x'.repeat(70_000)),
      (socket) => socket.send('x'.repeat(400_000)),
      (socket) => socket.send('{"type":"join","version":1e400,"room":"r"}'),
      (socket) => socket.close(4999, 'x'.repeat(100)),
      (socket) => {
        for (let i = 0; i < 2000; i++) socket.send('{}')
      },
    ]
    for (const act of hostile) {
      const socket = new NodeWebSocket(url)
      socket.on('error', () => {})
      await once(socket, 'open')
      act(socket)
    }
    const odd = connect((http.address() as AddressInfo).port, '127.0.0.1')
    odd.on('error', () => {})
    odd.write('GET //[ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    const raw = connect((http.address() as AddressInfo).port, '127.0.0.1')
    raw.on('error', () => {})
    raw.write('GET /signaling HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u0000\u00ff')
    const b = new Watched('r', 'Bob')
    await a.until('peer-joined Bob')
    b.client.call(a.client.id!)
    await a.until('call ""')
    raw.destroy()
    odd.destroy()
  })

  it('closes an upgrade to a path that nobody serves', async () => {
    const socket = new NodeWebSocket(url.replace('/signaling', '/elsewhere'))
    const [error] = await once(socket, 'error')
    expect(error.message).toBe('socket hang up')
  })

  it('lets its clients go when it is closed, and they try again until they are closed too', async () => {
    const a = new Watched('r', 'Ann')
    await a.until('joined')
    signaling.close()
    await a.until('state reconnecting')
    a.client.close()
    expect(a.client.state).toBe('closed')
  })
})

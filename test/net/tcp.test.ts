/** The stream half of NodeHost over real sockets on loopback, against itself and against bare node:net and node:tls. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type {
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  TlsSession,
} from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { canSharePorts } from '../../src/net/shared-port.ts'
import { CertificateFolder, type TestCertificate } from '../support/certificates.ts'
import { hasLoopback6, tellMissing } from '../support/programs.ts'

const host = new NodeHost()
const loopback = TransportAddress.of('127.0.0.1', 0)
const alpn = ['stun.turn', 'stun.nat-discovery']

/** What was called, in order, with a way to wait for it. */
class Recorder {
  readonly events: string[] = []
  readonly #waiting = new Set<() => void>()

  add(event: string): void {
    this.events.push(event)
    for (const check of [...this.#waiting]) check()
  }

  /** Resolves with the first event that matches, also one that was there before. */
  until(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const check = () => {
        const found = this.events.find((event) => pattern.test(event))
        if (found === undefined) return
        this.#waiting.delete(check)
        resolve(found)
      }
      this.#waiting.add(check)
      check()
    })
  }
}

/** One side of a connection: what it heard, and its socket. */
class Side extends Recorder {
  socket!: StreamSocket
  session: TlsSession | undefined
  bytes = 0
  readonly handlers: StreamHandlers = {
    opened: (local, session) => {
      this.session = session
      this.add(`opened ${local.ip}`)
    },
    failed: (reason) => this.add(`failed ${reason}`),
    data: (bytes) => {
      this.bytes += bytes.length
      this.add(bytes.length < 100 ? `data ${Buffer.from(bytes)}` : 'data')
    },
    drained: () => this.add('drained'),
    ended: () => this.add('ended'),
    closed: (reason) => this.add(`closed ${reason}`),
  }
}

class Listening extends Recorder {
  readonly listener: TcpListener
  readonly sides: Side[] = []
  address = loopback
  isPaused = false

  constructor(options: Partial<TcpListenOptions> = {}, more: Partial<TcpListenHandlers> = {}) {
    super()
    this.listener = host.listenTcp(
      { address: loopback, ...options },
      {
        bound: (local) => {
          this.address = local
          this.add('bound')
        },
        failed: (reason) => this.add(`failed ${reason}`),
        connection: (socket) => {
          const side = new Side()
          side.socket = socket
          this.sides.push(side)
          if (this.isPaused) socket.pause()
          this.add(`connection ${socket.remote.ip} ${socket.remote.port}`)
          return side.handlers
        },
        handshakeFailed: (reason, remote) => this.add(`handshakeFailed ${reason} ${remote.ip}`),
        acceptFailed: (reason) => this.add(`acceptFailed ${reason}`),
        ...more,
      },
    )
    open.push(() => this.listener.close())
  }

  connect(options: Partial<TcpConnectOptions> = {}): Side {
    return connectTo(this.address, options)
  }

  /** A plain node:net connection that ignores its errors. */
  raw(): Socket {
    const socket = connect(this.address.port, '127.0.0.1').on('error', () => {})
    open.push(() => socket.destroy())
    return socket
  }

  async pair(options: Partial<TcpConnectOptions> = {}): Promise<{ near: Side; far: Side }> {
    await this.until(/bound/)
    const near = this.connect(options)
    await near.until(/opened/)
    const { local } = near.socket
    await this.until(new RegExp(`^connection ${local.ip} ${local.port}$`))
    return { near, far: this.sides.find(({ socket }) => socket.remote.equals(local))! }
  }
}

function connectTo(remote: TransportAddress, options: Partial<TcpConnectOptions> = {}): Side {
  const side = new Side()
  side.socket = host.connectTcp({ remote, timeoutMs: 20_000, ...options }, side.handlers)
  open.push(() => side.socket.close())
  return side
}

const open: (() => void)[] = []
let certificates: CertificateFolder
let first: TestCertificate
let second: TestCertificate

beforeAll(() => {
  certificates = new CertificateFolder()
  first = certificates.make('first.example')
  second = certificates.make('second.example', '*.second.example')
})
afterAll(() => certificates.remove())
afterEach(() => {
  for (const close of open.splice(0)) close()
})

function tls(...pairs: readonly TestCertificate[]) {
  return { certificates: pairs, alpn, handshakeTimeoutMs: 20_000 }
}

describe('a TCP connection', () => {
  it('carries bytes both ways, and ends in order', async () => {
    const { near, far } = await new Listening().pair()
    expect(far.socket.remote.toString()).toBe(near.socket.local.toString())
    expect(near.socket.remote.toString()).toBe(far.socket.local.toString())
    near.socket.write(Buffer.from('hello'))
    await far.until(/data hello/)
    far.socket.write(Buffer.from('good day'))
    await near.until(/data good day/)
    near.socket.end()
    await far.until(/ended/)
    far.socket.end()
    await far.until(/closed/)
    await near.until(/closed/)
    expect(near.events).toEqual(['opened 127.0.0.1', 'data good day', 'ended', 'closed undefined'])
    expect(far.events).toEqual(['data hello', 'ended', 'closed undefined'])
  })

  it('goes on in one direction when the other has ended', async () => {
    const { near, far } = await new Listening().pair()
    near.socket.end()
    await far.until(/ended/)
    far.socket.write(Buffer.from('still here'))
    await near.until(/data still here/)
    expect(far.events).toEqual(['ended'])
    far.socket.end()
    await near.until(/closed undefined/)
  })

  it('sends what was written before its end', async () => {
    const { near, far } = await new Listening().pair()
    for (let i = 0; i < 1000; i++) near.socket.write(new Uint8Array(1000))
    near.socket.end()
    await far.until(/ended/)
    expect(far.bytes).toBe(1_000_000)
  })

  it('keeps the order of small and large writes', async () => {
    const { near, far } = await new Listening().pair()
    const received: Buffer[] = []
    far.handlers.data = (bytes) => received.push(Buffer.from(bytes))
    const sent: Buffer[] = []
    const sizes = [1, 172, 2000, 3000, 70_000, 5, 65_536, 65_537, 40_000, 40_000, 3, 200_000, 1]
    for (let round = 0; round < 20; round++) {
      for (const [i, size] of sizes.entries()) {
        const bytes = Buffer.alloc(size, round * sizes.length + i)
        sent.push(bytes)
        near.socket.write(bytes)
      }
      if (round % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    near.socket.end()
    await far.until(/ended/)
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true)
  })

  it('is told of a reset by its code, once', async () => {
    const listening = new Listening()
    await listening.until(/bound/)
    const raw = listening.raw()
    await listening.until(/connection/)
    raw.resetAndDestroy()
    const far = listening.sides[0]!
    await far.until(/closed/)
    far.socket.write(Buffer.from('too late'))
    far.socket.end()
    far.socket.close()
    expect(far.events).toEqual(['closed ECONNRESET'])
  })

  it('hears nothing after its own close', async () => {
    const { near, far } = await new Listening().pair()
    far.socket.write(Buffer.from('on its way'))
    near.socket.close()
    near.socket.close()
    await far.until(/ended|closed/)
    expect(near.events).toEqual(['opened 127.0.0.1'])
  })

  it('fails with the code of the system', async () => {
    const listening = new Listening()
    await listening.until(/bound/)
    listening.listener.close()
    const near = connectTo(listening.address)
    expect(near.events).toEqual([])
    await near.until(/failed/)
    expect(near.events).toEqual(['failed ECONNREFUSED'])
    const elsewhere = connectTo(listening.address, { local: TransportAddress.of('192.0.2.1', 0) })
    await elsewhere.until(/failed EADDRNOTAVAIL|failed EINVAL/)
  })

  it('fails when a connection takes too long', async () => {
    // A listener that accepts nothing, its queue full: further connections are not answered.
    const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 })
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const plain = connect(port, '127.0.0.1')
    await once(plain, 'connect')
    const near = connectTo(TransportAddress.of('127.0.0.1', port), {
      timeoutMs: 300,
      tls: { serverName: 'first.example', alpn: [] },
    })
    await near.until(/failed/)
    expect(near.events).toEqual(['failed ETIMEDOUT'])
    plain.destroy()
    server.close()
  })

  it('comes from the local address that it was given', async () => {
    const listening = new Listening()
    const { far } = await listening.pair({ local: TransportAddress.of('127.0.0.3', 0) })
    expect(far.socket.remote.ip).toBe('127.0.0.3')
  })
})

describe('holding back', () => {
  const chunk = new Uint8Array(60_000)

  it('lets what a remote side does not read pile up where it is counted, and says when it is gone', async () => {
    const listening = new Listening()
    listening.isPaused = true
    const { near, far } = await listening.pair()
    for (let i = 0; i < 400; i++) near.socket.write(chunk)
    expect(near.socket.pendingBytes).toBeGreaterThan(1_000_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(near.events).toEqual(['opened 127.0.0.1'])
    far.socket.resume()
    await near.until(/drained/)
    expect(near.socket.pendingBytes).toBe(0)
    near.socket.end()
    await far.until(/ended/)
    expect(far.bytes).toBe(400 * chunk.length)
    expect(near.events.filter((event) => event === 'drained')).toHaveLength(1)
  })

  it('reads nothing of a connection that was paused at its start, until it is resumed', async () => {
    const listening = new Listening()
    listening.isPaused = true
    const { near, far } = await listening.pair()
    near.socket.write(Buffer.from('early'))
    near.socket.end()
    await near.until(/opened/)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(far.events).toEqual([])
    far.socket.resume()
    await far.until(/ended/)
    expect(far.events).toEqual(['data early', 'ended'])
  })

  it('costs little more memory than what is pending, however small the writes are', async () => {
    const listening = new Listening()
    listening.isPaused = true
    const { near } = await listening.pair()
    while (near.socket.pendingBytes === 0) {
      near.socket.write(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const before = process.memoryUsage().arrayBuffers
    for (let turn = 0; turn < 2000; turn++) {
      near.socket.write(new Uint8Array(100))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(near.socket.pendingBytes).toBeGreaterThan(200_000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024)
  })
})

describe('listening', () => {
  it('tells why it cannot', async () => {
    const listening = new Listening()
    await listening.until(/bound/)
    const other = new Listening({ address: listening.address })
    await other.until(/failed/)
    expect(other.events).toEqual(['failed EADDRINUSE'])
    const elsewhere = new Listening({ address: TransportAddress.of('192.0.2.1', 0) })
    await elsewhere.until(/failed EADDRNOTAVAIL/)
  })

  it('closes what it does not admit', async () => {
    const asked: string[] = []
    const listening = new Listening(
      {},
      {
        admit: (remote) => {
          asked.push(remote.ip)
          return false
        },
      },
    )
    await listening.until(/bound/)
    const near = listening.connect()
    await near.until(/closed|ended/)
    expect(asked).toEqual(['127.0.0.1'])
    expect(listening.events).toEqual(['bound'])
  })

  it('survives connections that end the moment they begin', async () => {
    const listening = new Listening()
    await listening.until(/bound/)
    for (let i = 0; i < 50; i++) {
      const raw = listening.raw()
      raw.once('connect', () => raw.resetAndDestroy())
    }
    const { near, far } = await listening.pair()
    near.socket.write(Buffer.from('well'))
    await far.until(/data well/)
  })

  it('takes no more connections once closed, and leaves those there are', async () => {
    const listening = new Listening()
    const { near, far } = await listening.pair()
    listening.listener.close()
    listening.listener.close()
    await listening.connect().until(/failed ECONNREFUSED/)
    near.socket.write(Buffer.from('on we go'))
    await far.until(/data on we go/)
  })
})

describe('TLS', () => {
  it('carries bytes both ways, and says what the handshake has shown', async () => {
    const listening = new Listening({ tls: tls(first) })
    const { near, far } = await listening.pair({
      tls: { serverName: 'first.example', alpn: ['stun.turn'], authorities: [first.certificate] },
    })
    expect(near.session).toMatchObject({
      protocol: 'TLSv1.3',
      alpn: 'stun.turn',
      problem: undefined,
      subject: 'first.example',
    })
    expect(near.session!.validTo).toBeGreaterThan(host.clock.epochSeconds())
    near.socket.write(Buffer.from('hello'))
    await far.until(/data hello/)
    far.socket.write(new Uint8Array(300_000))
    near.socket.end()
    await far.until(/ended/)
    far.socket.end()
    await near.until(/closed/)
    expect(near.bytes).toBe(300_000)
    await far.until(/closed/)
  })

  const untrusted: [string, Partial<{ serverName: string | undefined; authorities: string[] }>, RegExp][] = [
    ['nobody vouches for the certificate', { authorities: [] }, /DEPTH_ZERO_SELF_SIGNED_CERT/],
    ['the certificate is for another name', { serverName: 'other.example' }, /ERR_TLS_CERT_ALTNAME_INVALID/],
  ]
  it.each(untrusted)('fails when %s, unless that is allowed', async (_name, more, problem) => {
    const listening = new Listening({ tls: tls(first) })
    await listening.until(/bound/)
    const options = { serverName: 'first.example', alpn, authorities: [first.certificate], ...more }
    const near = listening.connect({ tls: options })
    expect(await near.until(/failed|opened/)).toMatch(problem)
    const trusting = listening.connect({ tls: { ...options, allowInvalid: true } })
    await trusting.until(/opened/)
    expect(trusting.session!.problem).toMatch(problem)
  })

  it('checks the certificate of a server that is named by its address', async () => {
    const listening = new Listening({ tls: tls(first) })
    const { near } = await listening.pair({
      tls: { serverName: undefined, alpn: [], authorities: [first.certificate] },
    })
    expect(near.session).toMatchObject({ problem: undefined, alpn: undefined })
  })

  const names: [string, string][] = [
    ['first.example', 'first.example'],
    ['second.example', 'second.example'],
    ['www.second.example', 'second.example'],
    ['unknown.example', 'first.example'],
    ['xn--a..b', 'first.example'],
  ]
  it.each(names)('shows a client that asks for %s the certificate of %s', async (asked, shown) => {
    const listening = new Listening({ tls: tls(first, second) })
    const { near } = await listening.pair({ tls: { serverName: asked, alpn: [], allowInvalid: true } })
    expect(near.session?.subject).toBe(shown)
  })

  it('shows the first certificate to a client that asks for no name', async () => {
    const listening = new Listening({ tls: tls(second, first) })
    const { near } = await listening.pair({ tls: { serverName: undefined, alpn: [], allowInvalid: true } })
    expect(near.session?.subject).toBe('second.example')
  })

  it('serves new connections with new certificates, and keeps the old ones when the new are bad', async () => {
    const listening = new Listening({ tls: tls(first) })
    const options = { serverName: undefined, alpn: [], allowInvalid: true }
    const { near: before, far } = await listening.pair({ tls: options })
    const mixed = { certificate: second.certificate, key: first.key }
    for (const bad of [mixed, { certificate: 'no', key: 'no' }]) {
      expect(() => listening.listener.setCertificates([bad])).toThrow(/not a certificate with its key/)
    }
    expect((await listening.pair({ tls: options })).near.session?.subject).toBe('first.example')
    listening.listener.setCertificates([second, first])
    expect((await listening.pair({ tls: options })).near.session?.subject).toBe('second.example')
    const named = { ...options, serverName: 'first.example' }
    expect((await listening.pair({ tls: named })).near.session?.subject).toBe('first.example')
    before.socket.write(Buffer.from('still'))
    await far.until(/data still/)
  })

  it('refuses to start with a certificate that is not one', () => {
    expect(() => new Listening({ tls: tls({ ...first, key: second.key }) })).toThrow(/not a certificate/)
    expect(() => new Listening({ tls: tls() })).toThrow(/needs a certificate/)
  })

  it('refuses protocols that are not TURN, and TLS before 1.2', async () => {
    const listening = new Listening({ tls: tls(first) })
    await listening.until(/bound/)
    await listening
      .connect({ tls: { serverName: undefined, alpn: ['h2'], allowInvalid: true } })
      .until(/failed/)
    await listening.until(/handshakeFailed ERR_SSL_NO_APPLICATION_PROTOCOL 127.0.0.1/)
    const old = tlsConnect({
      port: listening.address.port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    }).on('error', () => {})
    await listening.until(/handshakeFailed ERR_SSL_UNSUPPORTED_PROTOCOL 127.0.0.1/)
    old.destroy()
    expect(listening.sides).toEqual([])
  })

  it('offers DHE and ECDHE with AES-128-GCM, which RFC 8489 §6.2.3 names', async () => {
    const listening = new Listening({ tls: tls(first) })
    await listening.until(/bound/)
    const socket = tlsConnect({
      port: listening.address.port,
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    })
    await once(socket, 'secureConnect')
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES128-GCM-SHA256')
    socket.destroy()
  })

  it('ends handshakes that are garbage, are broken off, or never come to an end', async () => {
    const listening = new Listening({ tls: { ...tls(first), handshakeTimeoutMs: 500 } })
    await listening.until(/bound/)
    listening.raw().write('GET / HTTP/1.1\r\n\r\n')
    await listening.until(/handshakeFailed ERR_SSL_HTTP_REQUEST 127.0.0.1/)
    const broken = listening.raw()
    await once(broken, 'connect')
    broken.write(Uint8Array.of(0x16, 3, 1))
    setTimeout(() => broken.resetAndDestroy(), 20)
    await listening.until(/handshakeFailed ECONNRESET 127.0.0.1/)
    const silent = listening.raw()
    const closed = once(silent.resume(), 'close')
    await listening.until(/handshakeFailed ETIMEDOUT 127.0.0.1/)
    await closed
  })

  it('ends a handshake that comes byte by byte when its time is up', async () => {
    const listening = new Listening({ tls: { ...tls(first), handshakeTimeoutMs: 600 } })
    await listening.until(/bound/)
    const slow = listening.raw()
    const start = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]
    const timer = setInterval(() => slow.write(Uint8Array.of(start.shift() ?? 0)), 50)
    await listening.until(/handshakeFailed ETIMEDOUT 127.0.0.1/)
    clearInterval(timer)
    expect(listening.events.filter((event) => event.startsWith('handshakeFailed'))).toHaveLength(1)
  })

  it('hears of everyone it has admitted again, exactly once', async () => {
    let admitted = 0
    const admit = () => {
      admitted++
      return true
    }
    const listening = new Listening({ tls: { ...tls(first), handshakeTimeoutMs: 1000 } }, { admit })
    await listening.until(/bound/)
    for (let i = 0; i < 20; i++) {
      const raw = listening.raw()
      if (i % 4 === 0) raw.write('nonsense')
      if (i % 4 === 1) raw.once('connect', () => raw.resetAndDestroy())
      if (i % 4 === 2) raw.end()
    }
    for (let i = 0; i < 5; i++) {
      await listening.connect({ tls: { serverName: undefined, alpn, allowInvalid: true } }).until(/opened/)
    }
    while (listening.events.filter((event) => /^handshakeFailed|^connection/.test(event)).length < admitted) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(admitted).toBeGreaterThanOrEqual(20)
    expect(listening.sides).toHaveLength(5)
    const heard = listening.events.filter((event) => /^handshakeFailed|^connection/.test(event))
    expect(heard).toHaveLength(admitted)
  })

  it('drops handshakes when the listener is closed', async () => {
    const listening = new Listening({ tls: tls(first) })
    await listening.until(/bound/)
    const raw = listening.raw()
    await once(raw, 'connect')
    raw.write(Uint8Array.of(0x16))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closed = once(raw, 'close')
    listening.listener.close()
    await closed
    expect(listening.events).toEqual(['bound'])
  })
})

if (!canSharePorts() && process.platform === 'linux') tellMissing('shared TCP ports: no node:ffi')
describe.skipIf(!canSharePorts())('a shared port', () => {
  it('is listened on and connected from at once', async () => {
    const target = new Listening()
    const other = new Listening()
    const shared = new Listening({ isShared: true })
    for (const listening of [target, other, shared]) await listening.until(/bound/)
    const from = { local: shared.address, fromListener: true }
    for (const listening of [target, other]) {
      const { near, far } = await listening.pair(from)
      expect(far.socket.remote.toString()).toBe(shared.address.toString())
      far.socket.write(Buffer.from('hello'))
      await near.until(/data hello/)
    }
    for (let i = 0; i < 20; i++) await shared.connect().until(/opened/)
    await shared.until(/connection/)
    expect(target.sides).toHaveLength(1)
  })

  it('fails to connect by the code of the system, and goes on listening', async () => {
    const shared = new Listening({ isShared: true })
    const gone = new Listening()
    await shared.until(/bound/)
    await gone.until(/bound/)
    gone.listener.close()
    const near = connectTo(gone.address, { local: shared.address, fromListener: true })
    await near.until(/failed ECONNREFUSED/)
    await shared.pair()
  })

  it('is not shared with other programs', async () => {
    const shared = new Listening({ isShared: true })
    await shared.until(/bound/)
    for (const isShared of [true, false]) {
      await new Listening({ address: shared.address, isShared }).until(/failed EADDRINUSE/)
    }
    const plain = new Listening()
    await plain.until(/bound/)
    await new Listening({ address: plain.address, isShared: true }).until(/failed EADDRINUSE/)
  })

  it.skipIf(!hasLoopback6('shared TCP ports over IPv6'))('works for IPv6', async () => {
    const ip6 = TransportAddress.of('::1', 0)
    const target = new Listening({ address: ip6 })
    const shared = new Listening({ address: ip6, isShared: true })
    await target.until(/bound/)
    await shared.until(/bound/)
    const { far } = await target.pair({ local: shared.address, fromListener: true })
    expect(far.socket.remote.toString()).toBe(shared.address.toString())
  })
})
